"""Clients of bad will: what they do costs little, and others are served meanwhile."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from contextlib import AsyncExitStack, suppress

import pytest
from h2.config import H2Configuration
from h2.connection import H2Connection
from h2.events import ConnectionTerminated, ResponseReceived
from h2.exceptions import ProtocolError
from router_stand import Stand, route, router, routes, secure_router

from deployd.router.control import Router
from deployd.router.table import Target
from tests.conformance.cases import STREAMS
from tests.conformance.talk import http_2, listener, statuses

__all__ = ["router"]
SLOW_CLIENTS, RESETS, CONTINUATIONS = 300, 3000, 20_000
VISIT = b"GET / HTTP/1.1\r\nHost: shop.test\r\nConnection: close\r\n\r\n"
PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
SETTINGS, HEADERS, CONTINUATION, END_STREAM = 4, 1, 9, 1


@pytest.fixture(scope="module")
def stand(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stand]:
    """Its log has errors: clients that speak nonsense are told so there."""
    with secure_router(tmp_path_factory.mktemp("tls")) as found:
        yield found


async def test_streams_that_are_begun_and_given_up_cost_little_and_others_are_served(
    stand: Stand, router: Router,
) -> None:
    """Rapid reset, CVE-2023-44487: the client asks and takes it back, as fast as it can."""
    async with listener() as heard:
        await router.switch(routes(
            "conformance/main", str(heard.port), route("shop.test", Target("127.0.0.1", heard.port), scheme="https"),
            route("shop.test", Target("127.0.0.1", heard.port)),
        ))
        client = H2Connection(H2Configuration())
        async with http_2(stand.config.https_port) as (_, writer):
            client.initiate_connection()
            with suppress(ConnectionError, ProtocolError):   # it may have enough of this
                for number in range(RESETS):
                    client.send_headers(2 * number + 1, STREAMS[0].headers, end_stream=True)
                    client.reset_stream(2 * number + 1)
                    writer.write(client.data_to_send())
                    if number % 100 == 0:
                        await writer.drain()
                        assert await statuses(stand.port, VISIT) == [200]
        assert await statuses(stand.port, VISIT) == [200]


async def test_clients_that_never_finish_their_heads_are_let_go_and_others_are_served(
    stand: Stand, router: Router,
) -> None:
    """Slow-loris."""
    async with listener() as heard, AsyncExitStack() as stack:
        await router.switch(routes("conformance/main", str(heard.port),
                                   route("shop.test", Target("127.0.0.1", heard.port))))
        slow = []
        for _ in range(SLOW_CLIENTS):
            reader, writer = await asyncio.open_connection("127.0.0.1", stand.port)
            stack.callback(writer.close)
            writer.write(b"GET / HTTP/1.1\r\nHost: shop.test\r\nX-A: ")
            slow.append(reader)
        assert await statuses(stand.port, VISIT) == [200]
        async with asyncio.timeout(90):
            for reader in slow:
                with suppress(ConnectionError):   # it is reset, which frees its memory at once
                    await reader.read()
        assert len(heard.heads) == 1


async def test_headers_that_never_end_are_refused_and_others_are_served(stand: Stand, router: Router) -> None:
    """CONTINUATION flood, CVE-2024-27316 and others: frame after frame of headers, and never the last one."""
    async with listener() as heard:
        shop = route("shop.test", Target("127.0.0.1", heard.port))
        await router.switch(routes("conformance/main", str(heard.port), shop))
        client, events = H2Connection(H2Configuration()), []
        client.initiate_connection()
        async with http_2(stand.config.https_port) as (reader, writer):
            writer.write(PREFACE + _frame(SETTINGS, 0, 0, b""))
            writer.write(_frame(HEADERS, END_STREAM, 1, b"\x82\x87\x84\x41\x09shop.test"))
            client.send_headers(1, STREAMS[0].headers, end_stream=True)   # it only reads: its own bytes are not sent
            with suppress(ConnectionError):
                for number in range(CONTINUATIONS):
                    writer.write(_frame(CONTINUATION, 0, 1, b"\x00\x03x-a\x10" + b"a" * 16))
                    if number % 100 == 0:
                        await writer.drain()
                        if writer.is_closing():   # the router has had enough
                            break
            with suppress(ConnectionError):
                async with asyncio.timeout(90):
                    while raw := await reader.read(65_536):
                        events += client.receive_data(raw)
        answered = [dict(event.headers)[b":status"] for event in events if isinstance(event, ResponseReceived)]
        assert answered == [b"400"]
        assert any(isinstance(event, ConnectionTerminated) for event in events)
        assert heard.heads == []
        assert await statuses(stand.port, VISIT) == [200]


def _frame(kind: int, flags: int, stream: int, payload: bytes) -> bytes:
    """RFC 9113 4.1."""
    return len(payload).to_bytes(3) + bytes((kind, flags)) + stream.to_bytes(4) + payload
