"""The only way out for git while it fetches what a repository names: a proxy on the loopback that looks where it leads.

    git ──CONNECT host:port──► proxy ──► the name is resolved once; its addresses are judged; one is connected to

So a name cannot change its meaning between the look and the connection, a redirect is judged like the address itself,
and what comes back is counted. TLS stays between git and the server: the proxy sees no more than the host's name.

Why not in a container of the builds' network: it needs no image, and works for every one; why not git's own
`http.curloptResolve`: git before 2.37 does not know it and says nothing, and a redirect to another host escapes it.
"""

from __future__ import annotations

import asyncio
import base64
import re
import secrets
import socket
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from ipaddress import ip_address
from urllib.parse import unquote, urlsplit
from urllib.request import getproxies, proxy_bypass

from deployd.own_addresses import is_own
from deployd.public_addresses import LAST_PORT, Address, Opening, is_public

HEAD_SECONDS, RESOLVE_SECONDS, CONNECT_SECONDS, CLOSE_SECONDS = 10.0, 20.0, 15.0, 5.0
LONGEST_HEAD_BYTES = 8192
CHUNK_BYTES = 65_536
CONNECT = re.compile(rb"CONNECT (\[[0-9a-fA-F:.%]+\]|[A-Za-z0-9._-]+):(\d{1,5}) HTTP/1\.[01]\r\n")
OPENED = re.compile(rb"HTTP/1\.[01] 2\d\d[ \r]")

Resolve = Callable[[str, int], Awaitable[list[Address]]]


class _Refused(Exception):
    """A status line for git."""


@dataclass
class FetchProxy:
    """One proxy, for one piece of work."""

    openings: tuple[Opening, ...]
    most_bytes: float
    """Of all that comes back together."""
    resolve: Resolve
    trusted: tuple[str, int] | None = None
    """(host, port) that the operator named: it may be anywhere. Where it redirects to may not."""
    port: int = 0
    secret: str = field(default_factory=lambda: secrets.token_hex(16))
    """The loopback is everybody's on this host; the proxy is not."""
    refused: list[str] = field(default_factory=list)
    """Hosts that lead where nobody may go, oldest first."""
    failed: list[str] = field(default_factory=list)
    """What else kept it from connecting, in words: git is only told a number."""
    received_bytes: int = 0

    @property
    def is_over(self) -> bool:
        """More came than may; the connection was cut."""
        return self.received_bytes > self.most_bytes

    def configuration(self) -> dict[str, str]:
        """git's settings with which it goes this way and no other."""
        return {"http.proxy": f"http://gate:{self.secret}@127.0.0.1:{self.port}", "http.proxyAuthMethod": "basic"}

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """One connection of git."""
        try:
            try:
                there = await self._open(await self._read_target(reader))
            except _Refused as refused:
                writer.write(f"HTTP/1.1 {refused}\r\nContent-Length: 0\r\nConnection: close\r\n\r\n".encode())
                await writer.drain()
                return
            try:
                writer.write(b"HTTP/1.1 200 Connection established\r\n\r\n")
                async with asyncio.TaskGroup() as group:
                    group.create_task(self._pass(reader, there[1], counted=False), name="to the remote")
                    group.create_task(self._pass(there[0], writer, counted=True), name="from the remote")
            finally:
                there[1].transport.abort()
        except OSError:   # git has gone
            pass
        finally:
            writer.close()
            with suppress(OSError, TimeoutError):
                async with asyncio.timeout(CLOSE_SECONDS):
                    await writer.wait_closed()

    async def _read_target(self, reader: asyncio.StreamReader) -> tuple[str, int]:
        try:
            async with asyncio.timeout(HEAD_SECONDS):
                head = await reader.readuntil(b"\r\n\r\n")
        except (TimeoutError, asyncio.IncompleteReadError, asyncio.LimitOverrunError):
            raise _Refused("400 Bad Request") from None
        basic = base64.b64encode(f"gate:{self.secret}".encode())
        if not re.search(rb"\r\nproxy-authorization: basic " + re.escape(basic) + rb"\r\n", head, re.IGNORECASE):
            raise _Refused('407 Proxy Authentication Required\r\nProxy-Authenticate: Basic realm="gate"')
        asked = CONNECT.match(head)
        if asked is None or int(asked[2]) > LAST_PORT:   # plain http://, among others
            raise _Refused("405 Method Not Allowed")
        return asked[1].decode().strip("[]"), int(asked[2])

    async def _open(self, asked: tuple[str, int]) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        host, port = asked
        upstream = None if proxy_bypass(host) else getproxies().get("https")
        addresses = await self._addresses(host, port)
        trusted = (host.lower(), port) == self.trusted
        good = [address for address in addresses if trusted or self._may_reach(address, port)]
        if addresses and not good:
            self.refused.append(host)
            raise _Refused("403 Forbidden")
        if not addresses and not upstream:
            self.failed.append(f"the name {host} has no address, or no name server answered")
            raise _Refused("502 Bad Gateway")
        with suppress(OSError, TimeoutError):
            async with asyncio.timeout(CONNECT_SECONDS):
                if upstream:   # it resolves names by itself, and the operator has it judge them
                    return await _open_behind(upstream, host, port)
        for address in good if not upstream else ():
            with suppress(OSError, TimeoutError):
                async with asyncio.timeout(CONNECT_SECONDS):
                    return await asyncio.open_connection(str(address), port)
        self.failed.append(f"{host} does not take connections on port {port}")
        raise _Refused("502 Bad Gateway")

    async def _addresses(self, host: str, port: int) -> list[Address]:
        """What a name stands for; none when it stands for nothing."""
        with suppress(OSError, TimeoutError, ValueError):
            async with asyncio.timeout(RESOLVE_SECONDS):
                return await self.resolve(host, port)
        return []

    def _may_reach(self, address: Address, port: int) -> bool:
        opened = any(opening.covers(address, port) for opening in self.openings)
        return opened or (is_public(address) and not is_own(address))

    async def _pass(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, *, counted: bool) -> None:
        """Whatever comes from one side to the other, until one of them ends it."""
        try:
            while chunk := await reader.read(CHUNK_BYTES):
                if counted:
                    self.received_bytes += len(chunk)
                    if self.is_over:
                        break
                writer.write(chunk)
                await writer.drain()
        except OSError:
            pass
        finally:
            writer.close()   # whoever reads from this one finds its end


@asynccontextmanager
async def open_fetch_proxy(
    openings: tuple[Opening, ...], most_bytes: float, resolve: Resolve | None = None,
    *, trusted: tuple[str, int] | None = None,
) -> AsyncIterator[FetchProxy]:
    """A proxy that lets through to public addresses and to what the operator opened.

    Args:
        most_bytes: What may come back, over all connections.
        trusted: (host, port) that may be anywhere.
    """
    proxy = FetchProxy(openings, most_bytes, resolve or resolve_name, trusted)
    connections: set[asyncio.Task[None]] = set()

    async def connected(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()   # the server's own; a group around the `yield` would wrap what goes wrong there
        assert task is not None
        connections.add(task)
        try:
            await proxy.serve(reader, writer)
        finally:
            connections.discard(task)

    async with await asyncio.start_server(connected, "127.0.0.1", 0, limit=LONGEST_HEAD_BYTES) as server:
        proxy.port = server.sockets[0].getsockname()[1]
        try:
            yield proxy
        finally:
            for task in connections:
                task.cancel()
            if connections:
                await asyncio.wait(connections)


async def resolve_name(host: str, port: int) -> list[Address]:
    """Addresses of a name, or of what the C library takes for an address: `127.1`, `2130706433`.

    Raises:
        OSError: It has none.
    """
    found = await asyncio.get_running_loop().getaddrinfo(host, port, type=socket.SOCK_STREAM)
    return [ip_address(str(item[4][0]).partition("%")[0]) for item in found]


async def _open_behind(upstream: str, host: str, port: int) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    """Through the proxy that the daemon's environment names.

    Raises:
        OSError: It does not let us.
    """
    parts = urlsplit(upstream)
    reader, writer = await asyncio.open_connection(parts.hostname, parts.port or 3128)
    user = f"{unquote(parts.username or '')}:{unquote(parts.password or '')}"
    known = f"Proxy-Authorization: Basic {base64.b64encode(user.encode()).decode()}\r\n" if parts.username else ""
    name = f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
    writer.write(f"CONNECT {name} HTTP/1.1\r\nHost: {name}\r\n{known}\r\n".encode())
    try:
        if OPENED.match(await reader.readuntil(b"\r\n\r\n")):
            return reader, writer
    except (asyncio.IncompleteReadError, asyncio.LimitOverrunError):
        pass
    writer.close()
    raise OSError("the proxy does not let us through")
