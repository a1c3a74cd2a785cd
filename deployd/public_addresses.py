"""Where what strangers wrote may connect to: public addresses, and what the operator opened. Pure.

One table for both that ask: the rules around containers (`firewall/`), and the fetching of submodules (`git/`).

Surprise: `ipaddress` has `is_global`, and it is another question. It calls multicast global, and Azure's wire server,
which hands out secrets of the machine at an address that looks public. And it does not call the networks global that
are kept for documentation (192.0.2.0/24, 203.0.113.0/24, 2001:db8::/32 …): nobody has anything there to be kept from,
and machines without the Internet use them in its place.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_network

Address = IPv4Address | IPv6Address
Network = IPv4Network | IPv6Network

NOT_PUBLIC = tuple(map(IPv4Network, (
    "0.0.0.0/8", "10.0.0.0/8", "100.64.0.0/10", "127.0.0.0/8", "169.254.0.0/16", "172.16.0.0/12", "192.0.0.0/24",
    "192.88.99.0/24", "192.168.0.0/16", "198.18.0.0/15", "224.0.0.0/4", "240.0.0.0/4",
    "168.63.129.16/32",   # Azure's wire server; the metadata of all other clouds lies in the networks above
)))
"""IANA's special-purpose addresses but for those of documentation, and what clouds have beside them."""
PUBLIC_IPV6 = IPv6Network("2000::/3")
"""Nothing else is given out: RFC 4291, 2.4."""
NOT_PUBLIC_IPV6 = tuple(map(IPv6Network, ("2001::/23", "2002::/16")))
"""Teredo, with what lies beside it, and 6to4: they carry an IPv4 address, which could be any."""

LAST_PORT = 65_535
WITH_PORT = re.compile(r"(\[[0-9a-fA-F:./]+\]|[0-9./]+):(\d{1,5})")


def is_public(address: Address) -> bool:
    """Whether everybody on the Internet reaches the same machine there."""
    if isinstance(address, IPv4Address):
        return not any(address in network for network in NOT_PUBLIC)
    return address in PUBLIC_IPV6 and not any(address in network for network in NOT_PUBLIC_IPV6)


@dataclass(frozen=True, slots=True)
class Opening:
    """Addresses, and maybe one port of them, that the operator opened."""

    network: Network
    port: int | None = None
    """TCP and UDP; None: every port, and whatever else there is."""

    def covers(self, address: Address, port: int) -> bool:
        return address in self.network and self.port in (None, port)


def parse_opening(text: str) -> Opening:
    """`10.0.0.5`, `10.0.0.0/24`, `10.0.0.5:5432`, `fd00::/8`, `[fd00::5]:443`.

    Raises:
        ValueError: It is none of these; its text is for people.
    """
    with_port = WITH_PORT.fullmatch(text)
    where, port = (with_port[1].strip("[]"), int(with_port[2])) if with_port else (text.strip("[]"), None)
    if port is not None and not 1 <= port <= LAST_PORT:
        raise ValueError(f"{text!r} has no port between 1 and {LAST_PORT}")
    try:
        return Opening(ip_network(where), port)
    except ValueError as error:
        raise ValueError(
            f"{text!r} is not an address or a network with or without a port, as 10.0.0.5:5432 or [fd00::5]:443"
            f" ({error})",
        ) from None
