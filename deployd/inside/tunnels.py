"""Where tunnels lead: to the relationships of the environment that was named, and to nothing else."""

from __future__ import annotations

import asyncio
import socket
from dataclasses import dataclass
from typing import ClassVar

from deployd.errors import DeployError
from deployd.inside.targets import Entrance
from deployd.release.applications.instances import links_of, port_of
from deployd.release.ports import Host

CONNECT_SECONDS = 5.0
KEEPALIVE = {socket.TCP_KEEPIDLE: 30, socket.TCP_KEEPINTVL: 10, socket.TCP_KEEPCNT: 3}
SILENT_MS = 60_000
"""Of a service whose container, and with it the network, has gone: nobody says so."""


class NoSuchTunnel(DeployError):
    """A tunnel would lead to what is no relationship of the environment, or to what does not answer."""

    code: ClassVar[str] = "no-such-tunnel"


@dataclass(frozen=True, slots=True)
class Reached:
    """A relationship of an application or worker."""

    relationship: str
    container: str
    port: int

    @property
    def host(self) -> str:
        return f"{self.relationship}.internal"


def reached_of(entrance: Entrance) -> tuple[Reached, ...]:
    """All that an application or worker reaches by a name of its own."""
    found = []
    for item in entrance.instance.relationships:
        container = links_of(entrance.release, entrance.config, (item,))[f"{item.name}.internal"]
        found.append(Reached(item.name, container, port_of(entrance.config, item)))
    return tuple(found)


async def connect(entrance: Entrance, host: Host, wanted: str, port: int) -> socket.socket:
    """A connection to a relationship, by its name (`database` or `database.internal`) and its port.

    Raises:
        NoSuchTunnel: There is no such relationship, or it does not answer.
    """
    there = reached_of(entrance)
    name = wanted.removesuffix(".internal")
    found = next((item for item in there if item.relationship == name and item.port == port), None)
    if found is None:
        names = ", ".join(f"{item.host}:{item.port}" for item in there) or "nowhere: there are no relationships"
        raise NoSuchTunnel(
            f"no tunnel of {entrance.said} leads to {_shown(wanted)}:{port}", hint=f"they lead to {names}",
        )
    seen = await host.engine.container(found.container)
    address = seen.addresses.get(entrance.release.names.network, "") if seen is not None else ""
    if not address:
        raise NoSuchTunnel(f"{found.host} of {entrance.said} does not run now", hint="`deployd top` shows what does")
    return await _connected(found, address)


async def _connected(found: Reached, address: str) -> socket.socket:
    channel = socket.socket(socket.AF_INET, socket.SOCK_STREAM | socket.SOCK_NONBLOCK | socket.SOCK_CLOEXEC)
    try:
        async with asyncio.timeout(CONNECT_SECONDS):
            await asyncio.get_running_loop().sock_connect(channel, (address, found.port))
        channel.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
        for option, value in KEEPALIVE.items():
            channel.setsockopt(socket.IPPROTO_TCP, option, value)
        channel.setsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, SILENT_MS)
        channel.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    except (OSError, TimeoutError) as error:
        channel.close()
        raise NoSuchTunnel(
            f"{found.host}:{found.port} does not answer ({getattr(error, 'strerror', None) or 'too slow'})",
        ) from None
    except BaseException:
        channel.close()
        raise
    return channel


def _shown(text: str) -> str:
    return "".join(letter if letter.isprintable() else "?" for letter in text[:100])
