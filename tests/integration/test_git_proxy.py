"""The proxy through which git fetches what strangers name: where it leads, and where it does not."""

from __future__ import annotations

import asyncio
import base64
import contextlib
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from ipaddress import ip_address

import pytest

from deployd.git.proxy import FetchProxy, Resolve, open_fetch_proxy, resolve_name
from deployd.public_addresses import Address, parse_opening

LOOPBACK = (parse_opening("127.0.0.1"),)


class Listener:
    """Somebody on this host who must not be reached, or may."""

    def __init__(self) -> None:
        self.port = 0
        self.connections = 0

    async def connected(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        with contextlib.suppress(ConnectionError):
            while data := await reader.read(1000):
                writer.write(data)
        writer.close()


@asynccontextmanager
async def listening() -> AsyncIterator[Listener]:
    """On every address of this host, IPv6 too."""
    found = Listener()
    channel = socket.create_server(("", 0), family=socket.AF_INET6, dualstack_ipv6=True)
    found.port = channel.getsockname()[1]
    async with await asyncio.start_server(found.connected, sock=channel):
        yield found


async def ask(
    proxy: FetchProxy, head: str, *, secret: str | None = None,
) -> tuple[int, asyncio.StreamReader, asyncio.StreamWriter]:
    """(status, and the connection) of a request to the proxy."""
    reader, writer = await asyncio.open_connection("127.0.0.1", proxy.port)
    known = base64.b64encode(f"gate:{proxy.secret if secret is None else secret}".encode()).decode()
    writer.write(f"{head} HTTP/1.1\r\nHost: x\r\nProxy-Authorization: Basic {known}\r\n\r\n".encode())
    status = int((await reader.readuntil(b"\r\n\r\n")).split()[1])
    return status, reader, writer


async def status_of(proxy: FetchProxy, head: str, *, secret: str | None = None) -> int:
    status, _, writer = await ask(proxy, head, secret=secret)
    writer.close()
    await writer.wait_closed()
    return status


def answers(*addresses: str) -> Resolve:
    """A name server that says these for every name."""
    async def resolve(host: str, port: int) -> list[Address]:
        return [ip_address(text) for text in addresses]
    return resolve


@pytest.mark.parametrize("host", [
    "127.0.0.1", "localhost", "a..b", "x" * 300, "127.1", "127.8.9.10", "2130706433", "0x7f000001", "0177.0.0.1",
    "0.0.0.0", "0", "[::1]", "[::]", "[::ffff:127.0.0.1]", "[::ffff:7f00:1]", "[::127.0.0.1]", "LOCALHOST",
    "localhost.",
])
async def test_this_host_is_not_reached_however_it_is_written(host: str) -> None:
    async with listening() as listener, open_fetch_proxy((), 10_000) as proxy:
        assert await status_of(proxy, f"CONNECT {host}:{listener.port}") in (403, 502)
    assert listener.connections == 0


@pytest.mark.parametrize("address", [
    "10.0.0.1", "172.16.0.1", "192.168.0.1", "169.254.169.254", "100.100.100.200", "168.63.129.16", "192.0.0.192",
    "224.0.0.1", "255.255.255.255", "198.18.0.1", "::1", "fd00:ec2::254", "fe80::1", "fec0::1", "ff02::1",
    "::ffff:10.0.0.1", "64:ff9b::7f00:1", "64:ff9b:1::a00:1", "2002:7f00:1::1", "2001:0:7f00:1::",
])
async def test_a_name_that_stands_for_an_address_that_is_not_public_is_refused(address: str) -> None:
    async with open_fetch_proxy((), 10_000, answers(address)) as proxy:
        assert await status_of(proxy, "CONNECT git.example:443") == 403
        assert proxy.refused == ["git.example"]


async def test_of_many_addresses_only_those_are_tried_that_may_be() -> None:
    async with listening() as listener:
        openings = (parse_opening(f"127.0.0.1:{listener.port}"),)
        async with open_fetch_proxy(openings, 10_000, answers("::1", "10.0.0.1", "127.0.0.1")) as proxy:
            assert await status_of(proxy, f"CONNECT git.example:{listener.port}") == 200
        async with open_fetch_proxy(openings, 10_000, answers("::1")) as proxy:
            assert await status_of(proxy, f"CONNECT git.example:{listener.port}") == 403
    assert listener.connections == 1


async def test_a_name_is_resolved_once_and_what_was_judged_is_connected_to() -> None:
    """A name server of the attacker says another address at the second question."""
    asked: list[str] = []

    async def rebinding(host: str, port: int) -> list[Address]:
        asked.append(host)
        return [ip_address("127.0.0.1" if len(asked) == 1 else "127.0.0.2")]

    async with listening() as listener:
        openings = (parse_opening("127.0.0.1"),)
        async with open_fetch_proxy(openings, 10_000, rebinding) as proxy:
            status, reader, writer = await ask(proxy, f"CONNECT git.example:{listener.port}")
            writer.write(b"hello")
            assert (status, await reader.readexactly(5)) == (200, b"hello")
            writer.close()
            assert asked == ["git.example"]
            assert await status_of(proxy, f"CONNECT git.example:{listener.port}") == 403


async def test_what_comes_back_is_counted_and_cut() -> None:
    async with listening() as listener, open_fetch_proxy(LOOPBACK, 10_000) as proxy:
        _, reader, writer = await ask(proxy, f"CONNECT 127.0.0.1:{listener.port}")
        writer.write(b"x" * 9_000)
        assert len(await reader.readexactly(9_000)) == 9_000
        assert not proxy.is_over
        writer.write(b"x" * 9_000)
        assert len(await reader.read()) <= 1_000
        assert proxy.is_over
        writer.close()


@pytest.mark.parametrize(("head", "status"), [
    ("GET http://127.0.0.1:{port}/", 405), ("POST http://127.0.0.1:{port}/", 405), ("CONNECT 127.0.0.1", 405),
    ("CONNECT /etc/passwd:1", 405), ("CONNECT a b:1", 405), ("CONNECT 127.0.0.1:{port}:1", 405),
    ("CONNECT @127.0.0.1:{port}", 405), ("CONNECT :{port}", 405), ("CONNECT 127.0.0.1:99999", 405),
])
async def test_it_only_connects(head: str, status: int) -> None:
    async with listening() as listener, open_fetch_proxy((parse_opening("10.0.0.1"),), 10_000) as proxy:
        assert await status_of(proxy, head.format(port=listener.port)) == status
    assert listener.connections == 0


async def test_another_user_of_this_host_does_not_use_it() -> None:
    async with listening() as listener, open_fetch_proxy(LOOPBACK, 10_000) as proxy:
        assert await status_of(proxy, f"CONNECT 127.0.0.1:{listener.port}", secret="guessed") == 407
        assert await status_of(proxy, f"CONNECT 127.0.0.1:{listener.port}") == 200
    assert listener.connections == 1


async def test_a_head_without_an_end_is_given_up() -> None:
    async with open_fetch_proxy((), 10_000) as proxy:
        reader, writer = await asyncio.open_connection("127.0.0.1", proxy.port)
        writer.write(b"CONNECT " + b"x" * 100_000)
        assert b"400" in await reader.readline()
        writer.close()


async def test_behind_a_proxy_it_goes_that_way(monkeypatch: pytest.MonkeyPatch) -> None:
    """The proxy of the operator resolves names; an address that is not public is refused before."""
    heads: list[bytes] = []

    async def proxy(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        heads.append(await reader.readuntil(b"\r\n\r\n"))
        writer.write(b"HTTP/1.1 200 OK\r\n\r\nthrough")
        writer.close()

    async def nobody_knows(host: str, port: int) -> list[Address]:
        if host == "git.example":
            raise OSError("no such name")
        return await resolve_name(host, port)

    async with await asyncio.start_server(proxy, "127.0.0.1", 0) as server:
        port = server.sockets[0].getsockname()[1]
        monkeypatch.setenv("https_proxy", f"http://ann:pass%2Bword@127.0.0.1:{port}")
        monkeypatch.setenv("no_proxy", "inside.example")
        async with open_fetch_proxy((), 10_000, nobody_knows) as proxy:
            status, reader, writer = await ask(proxy, "CONNECT git.example:443")
            assert (status, await reader.read()) == (200, b"through")
            writer.close()
            assert await status_of(proxy, "CONNECT 127.0.0.1:443") == 403
            assert await status_of(proxy, "CONNECT inside.example:443") == 502
    assert len(heads) == 1
    assert heads[0].startswith(b"CONNECT git.example:443 HTTP/1.1\r\n")
    assert base64.b64encode(b"ann:pass+word") in heads[0]
