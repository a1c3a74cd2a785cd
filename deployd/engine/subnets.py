"""The next free subnet of deployd's own pool. Pure.

Pools of engines run out at about 30 networks, so deployd carves small ones from a large pool of its own.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Iterable

from deployd.engine.errors import NoSubnetLeft

WAY_OUT_PREFIX = 8
"""Routes wider than this are ways to the Internet (a default route, the two halves of a VPN) and no neighbours."""


def next_subnet(pool: str, prefix: int, used: Iterable[str]) -> str:
    """The lowest subnet of the pool that overlaps nothing in use.

    Args:
        pool: CIDR, `10.128.0.0/12`.
        prefix: Length of the subnet's prefix, 26 for 62 addresses.
        used: CIDRs of our environments, of the engine's networks and of the host's routes; IPv6 is passed over.

    Raises:
        NoSubnetLeft: There is none.
    """
    whole = ipaddress.IPv4Network(pool)
    size = 1 << (32 - prefix)
    address, end = int(whole.network_address), int(whole.broadcast_address)
    for first, last in sorted(_ranges(used)):
        if last < address:
            continue
        if first >= address + size:
            break                        # sorted: nothing later can overlap the candidate either
        address = -(-(last + 1) // size) * size
    if address + size - 1 > end:
        raise NoSubnetLeft(
            f"cannot make a network: every /{prefix} of the pool {pool} is in use",
            hint="remove environments that nobody needs, or give deployd a larger network_pool",
        )
    return f"{ipaddress.IPv4Address(address)}/{prefix}"


def overlaps(subnet: str, used: Iterable[str]) -> bool:
    """Whether a subnet has an address that is in use."""
    [(first, last)] = _ranges([subnet])
    return any(first <= other_last and other_first <= last for other_first, other_last in _ranges(used))


def parse_host_routes(text: str) -> tuple[str, ...]:
    """CIDRs of the host's routes, from the text of /proc/net/route, without ways to the Internet."""
    routes = []
    for line in text.splitlines()[1:]:
        columns = line.split()
        if len(columns) > 7:
            network = ipaddress.IPv4Network((_address(columns[1]), _address(columns[7])), strict=False)
            if network.prefixlen >= WAY_OUT_PREFIX:
                routes.append(str(network))
    return tuple(routes)


def _ranges(used: Iterable[str]) -> list[tuple[int, int]]:
    networks = [ipaddress.ip_network(text, strict=False) for text in used]
    return [(int(item.network_address), int(item.broadcast_address)) for item in networks if item.version == 4]


def _address(hexadecimal: str) -> str:
    """The kernel prints addresses as little-endian hexadecimal numbers."""
    return str(ipaddress.IPv4Address(bytes.fromhex(hexadecimal)[::-1]))
