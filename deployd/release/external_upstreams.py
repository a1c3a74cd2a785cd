"""Addresses of hosts outside, for routes of type `proxy`.

The router asks no name server, so that a project's file cannot send it to an address inside the host: what a name means
is looked up here, and addresses that are not public are refused.
"""

from __future__ import annotations

import asyncio
import socket
from ipaddress import ip_address
from typing import ClassVar
from urllib.parse import urlsplit

from deployd.errors import DeployError
from deployd.own_addresses import is_own
from deployd.public_addresses import Address, is_public
from deployd.router.table import Target

LOOK_UP_SECONDS = 4
"""The switch takes ten seconds at most, and one that overran could not be undone: nobody would know what it did."""
PORTS = {"http": 80, "https": 443}


class OutsideUnreachable(DeployError):
    """The host of a proxy route has no public address."""

    code: ClassVar[str] = "outside-unreachable"


class OutsideUnanswered(OutsideUnreachable):
    """The name server did not answer."""

    again_in_seconds: ClassVar[float | None] = 2.0


async def find_targets(url: str, where: str, router_ports: tuple[int, ...]) -> tuple[Target, ...]:
    """Where the requests of a proxy route go.

    Args:
        router_ports: What of this host itself every visitor reaches: another environment may be meant.

    Raises:
        OutsideUnreachable: The name means nothing, or only addresses that are not public.
    """
    parts = urlsplit(url)
    port = parts.port or PORTS.get(parts.scheme, 80)
    try:
        async with asyncio.timeout(LOOK_UP_SECONDS):
            found = await asyncio.get_running_loop().getaddrinfo(
                parts.hostname, port, type=socket.SOCK_STREAM, family=socket.AF_INET,
            )
    except (OSError, TimeoutError) as error:
        silent = isinstance(error, TimeoutError) or error.errno == socket.EAI_AGAIN
        raise (OutsideUnanswered if silent else OutsideUnreachable)(
            f"the proxy route to {url} leads nowhere: {parts.hostname} has no address ({error})", where=where,
            hint="correct `to`, or see whether the name server of the host answers",
        ) from None
    addresses = sorted({str(item[4][0]) for item in found})
    public = [address for address in addresses if _is_outside(ip_address(address), port, router_ports)]
    if not public:
        raise OutsideUnreachable(
            f"the proxy route to {url} leads to {', '.join(addresses)}, which is not a public address", where=where,
            hint="proxy routes are for hosts outside; an application of the project is an upstream",
        )
    return tuple(Target(address, port) for address in public)


def _is_outside(address: Address, port: int, router_ports: tuple[int, ...]) -> bool:
    return is_public(address) and (port in router_ports or not is_own(address))
