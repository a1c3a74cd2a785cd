"""Whether the pool from which environments get their networks is free on this host."""

from __future__ import annotations

import ipaddress
import struct
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from deployd.cli.doctor.finding import Finding, doubt, well
from deployd.settings import Settings

ROUTES = Path("/proc/net/route")
OF_DOCKER = ("br-", "docker", "veth", "dp")
"""Networks of Docker, the last of them ours, are no trouble: a subnet that one of them has is passed over."""


@dataclass(frozen=True, slots=True)
class HostRoute:
    """A line of the kernel's routing table."""

    interface: str
    network: ipaddress.IPv4Network


def look_at_network(settings: Settings) -> Finding:
    return judge_pool(settings.network_pool, parse_routes(ROUTES.read_text()))


def judge_pool(pool: str, routes: Sequence[HostRoute]) -> Finding:
    """Addresses that the host reaches elsewhere would no longer be reached."""
    network = ipaddress.ip_network(pool)
    for route in routes:
        if isinstance(network, ipaddress.IPv4Network) and route.network.overlaps(network):
            return doubt("network", f"{pool}, the pool for environments, overlaps with {route.network}, which this "
                         f"host reaches by {route.interface}", "choose a free range with `network_pool`")
    return well("network", f"{pool} is free for environments")


def parse_routes(text: str) -> tuple[HostRoute, ...]:
    """Routes of /proc/net/route, without the default route and Docker's own."""
    found = []
    for line in text.splitlines()[1:]:
        interface, destination, *rest = line.split()
        network = ipaddress.IPv4Network((_address(destination), _address(rest[5])))
        if network.prefixlen and not interface.startswith(OF_DOCKER):
            found.append(HostRoute(interface, network))
    return tuple(found)


def _address(text: str) -> str:
    """The kernel writes addresses as one number, in the order of bytes of the machine."""
    return str(ipaddress.IPv4Address(struct.pack("=I", int(text, 16))))
