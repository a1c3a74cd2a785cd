"""Addresses within a subnet: the lower half is the engine's to give, the upper half is deployd's. Pure.

An engine gives a container another address at every start, and the one that it had to whoever comes next. What a route
leads to must not move: it is created with an address of the upper half, which nobody else can get.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Iterable, Mapping, Sequence

from deployd.engine.errors import NoAddressLeft


def given_by_engine(subnet: str) -> str:
    """CIDR of the half out of which the engine gives addresses, the gateway's among them."""
    return str(_halves(subnet)[0])


def gateway_of(subnet: str) -> str:
    """The host's address in a network: the engine takes the first one."""
    return str(ipaddress.IPv4Network(subnet)[1])


def own_addresses(
    subnet: str, there: Mapping[str, str], wanted: Sequence[str], taken: Iterable[str] = (), *, begin: int = 0,
) -> dict[str, str]:
    """{container: its address} for each that is wanted. One that is there keeps the address that it has.

    Args:
        there: {container: address} of all containers that have an address of their own.
        wanted: Names of containers.
        taken: Addresses that the engine gave.
        begin: Where the search begins, another place for each activity: an address that has just become free is not
            given away at once, because a request that was meant for the one before may still be on its way.

    Raises:
        NoAddressLeft: There are not so many.
    """
    last = int(ipaddress.IPv4Network(subnet).broadcast_address)
    upper = [address for address in _halves(subnet)[1] if int(address) != last]
    start = begin % len(upper)
    used = {*there.values(), *taken}
    free = (str(address) for address in (*upper[start:], *upper[:start]) if str(address) not in used)
    found = {}
    for name in wanted:
        address = there.get(name) or next(free, None)
        if address is None:
            raise NoAddressLeft(
                f"cannot give {name} an address: all of {_halves(subnet)[1]} are taken",
                hint="give environments larger networks (subnet_prefix), and make this one anew",
            )
        found[name] = address
    return found


def _halves(subnet: str) -> list[ipaddress.IPv4Network]:
    return list(ipaddress.IPv4Network(subnet).subnets(prefixlen_diff=1))
