"""The environment's own host names as its containers resolve them: to the router, on this host. Pure.

Outside they lead to an address of the Internet that a container behind it often cannot reach, or to nowhere but the
visitor's own machine (`*.localhost`). So a shop that warms its own pages finds them here. Hosts of other environments
stay what they are.

Surprise: a router that listens on the loopback interface, or on IPv6 alone, cannot be reached from a container.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from ipaddress import IPv4Address

from deployd.environment.routes import ResolvedRoute


def own_hosts(routes: Iterable[ResolvedRoute], router: str, gateway: str) -> Mapping[str, str]:
    """{host: address of the router}, without wildcards, which a hosts file cannot have.

    Args:
        router: The address that the router listens on.
        gateway: The host's address in the environment's network; empty: it has no network.
    """
    address = _address_of(router, gateway)
    return {route.host: address for route in routes if "*" not in route.host} if address else {}


def _address_of(router: str, gateway: str) -> str:
    try:
        listens = IPv4Address(router)
    except ValueError:   # IPv6, or a name
        return ""
    if listens.is_loopback:
        return ""
    return gateway if listens.is_unspecified else router
