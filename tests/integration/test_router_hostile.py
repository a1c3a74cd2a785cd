"""Clients of bad will: what they do costs little, and others are served meanwhile."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterator
from contextlib import AsyncExitStack, suppress
from pathlib import Path

import pytest
from h2.config import H2Configuration
from h2.connection import H2Connection
from h2.events import ConnectionTerminated, ResponseReceived, StreamReset
from h2.exceptions import ProtocolError

from deployd.router.control import Router
from deployd.router.table import Target
from tests.support.conformance.cases import STREAMS
from tests.support.conformance.talk import Listener, http_2, listener, statuses
from tests.support.memory import memory_kb
from tests.support.router_stand import Stand, route, router, routes, running_router, secure_router, wait_until_held

__all__ = ["router"]
SLOW_CLIENTS, SLOW_BODIES, RESETS, CONTINUATIONS = 300, 1000, 3000, 20_000
KILOBYTES_EACH = 64.0
BODY_SECONDS = 2
VISIT = b"GET / HTTP/1.1\r\nHost: shop.test\r\nConnection: close\r\n\r\n"
SLOW_POST = b"POST / HTTP/1.1\r\nHost: shop.test\r\nContent-Length: 1000000000\r\n\r\n"
SLOW_BODY = SLOW_POST + b"x" * 10_000
SLOW_CHUNKS = b"POST / HTTP/1.1\r\nHost: shop.test\r\nTransfer-Encoding: chunked\r\n\r\n1000\r\n" + b"x" * 1000
PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
SETTINGS, HEADERS, CONTINUATION, END_STREAM = 4, 1, 9, 1


@pytest.fixture(scope="module")
def stand(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stand]:
    """Its log has errors: clients that speak nonsense are told so there."""
    with secure_router(tmp_path_factory.mktemp("tls")) as found:
        yield found


@pytest.fixture
def impatient(tmp_path: Path) -> Iterator[Stand]:
    """A router with a shorter `client_body_timeout` than the usual one of 60 s."""
    with secure_router(tmp_path, body_seconds=BODY_SECONDS) as found:
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


async def test_a_thousand_bodies_that_never_end_keep_nobody_waiting_and_cost_little(
    stand: Stand, router: Router,
) -> None:
    """R-U-Dead-Yet: a body is announced, begun, and never ended."""
    async with listener() as heard, AsyncExitStack() as stack:
        await router.switch(routes("conformance/main", str(heard.port),
                                   route("shop.test", Target("127.0.0.1", heard.port))))
        assert await statuses(stand.port, VISIT) == [200]
        before = await memory_kb(stand.name)
        for number in range(SLOW_BODIES):
            await begin(stack, stand.port, SLOW_CHUNKS if number % 2 else SLOW_BODY)
        async with asyncio.timeout(30):
            while len(heard.writers) < SLOW_BODIES:   # they have reached the application
                await asyncio.sleep(0.1)
        for _ in range(20):
            began = time.monotonic()
            assert await statuses(stand.port, VISIT) == [200]
            assert time.monotonic() - began < 1
        assert (await memory_kb(stand.name) - before) / SLOW_BODIES < KILOBYTES_EACH
        assert len(heard.heads) == 21   # visitors; no body became whole


async def test_clients_that_never_finish_their_bodies_are_let_go_and_so_is_the_application(impatient: Stand) -> None:
    """Over HTTP/1.1 and HTTP/2."""
    async with impatient.router() as router, listener() as heard, AsyncExitStack() as stack:
        target = Target("127.0.0.1", heard.port)
        await router.switch(routes("conformance/main", "1", route("shop.test", target),
                                   route("shop.test", target, scheme="https")))
        began = time.monotonic()
        slow = [await begin(stack, impatient.port, request) for request in (SLOW_BODY, SLOW_CHUNKS) * 50]
        streams = asyncio.create_task(ends_of_streams_whose_bodies_never_end(impatient.config.https_port, 50))
        async with asyncio.timeout(30):
            for reader, _ in slow:
                with suppress(ConnectionError):   # it is reset, which frees its memory at once
                    assert await reader.read() == b""
            assert time.monotonic() - began >= BODY_SECONDS
            assert await streams == 50
            await until_let_go(heard)
        assert heard.heads == []
        assert await statuses(impatient.port, VISIT) == [200]


async def test_what_remains_of_a_body_that_was_answered_before_its_end_becomes_nobodys_request(
    stand: Stand, router: Router,
) -> None:
    async with listener(at_once=True) as heard, AsyncExitStack() as stack:
        await router.switch(routes("conformance/main", str(heard.port),
                                   route("shop.test", Target("127.0.0.1", heard.port))))
        for begun in (SLOW_POST, SLOW_CHUNKS):
            reader, writer = await begin(stack, stand.port, begun)
            assert (await reader.readuntil(b"\r\n\r\n"))[:15] == b"HTTP/1.1 200 OK"
            with suppress(ConnectionError):
                writer.write(b"GET /second HTTP/1.1\r\nHost: shop.test\r\n\r\n")
                await writer.drain()
            for _ in range(10):
                assert await statuses(stand.port, VISIT) == [200]
    assert sorted(head.split("\r\n")[0] for head in heard.heads) == ["GET / HTTP/1.1"] * 20 + ["POST / HTTP/1.1"] * 2


async def test_held_bodies_that_never_end_do_not_keep_the_held_waiting_for_ever() -> None:
    """Each takes a place of the paced release and gives no answer: after a while the places double, again and again."""
    with running_router(stalled_seconds=1) as stand:
        async with (stand.router(pace=2) as router, listener() as heard, AsyncExitStack() as stack,
                    asyncio.TaskGroup() as group):
            shop = routes("shop/main", "1", route("shop.test", Target("127.0.0.1", heard.port)))
            await router.switch(shop)
            await router.freeze("shop/main", 60)
            for _ in range(40):
                await begin(stack, stand.port, SLOW_BODY)
            await wait_until_held(router, "shop/main", 40)
            visit = group.create_task(visited(stand.port))
            await wait_until_held(router, "shop/main", 41)
            began = time.monotonic()
            await router.thaw("shop/main")
            assert (await visit)[:15] == b"HTTP/1.1 200 OK"
            assert time.monotonic() - began < 12   # 4 times a second without an answer: 2, 4, 8, 16, 32 are let in


async def visited(port: int) -> bytes:
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    try:
        writer.write(VISIT)
        return await reader.read()
    finally:
        writer.close()


async def begin(
    stack: AsyncExitStack, port: int, request: bytes,
) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    """Says it and no more; the connection stays until the stack ends."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    stack.callback(writer.close)
    writer.write(request)
    return reader, writer


async def ends_of_streams_whose_bodies_never_end(port: int, count: int) -> int:
    """Begins so many on one connection, and counts those that are reset; the connection stays."""
    client, found = H2Connection(H2Configuration()), 0
    client.initiate_connection()
    async with http_2(port) as (reader, writer):
        for number in range(count):
            client.send_headers(2 * number + 1, [(b":method", b"POST"), *STREAMS[0].headers[1:]])
            client.send_data(2 * number + 1, b"x" * 1000)
        writer.write(client.data_to_send())
        while found < count and (raw := await reader.read(65_536)):
            found += sum(isinstance(event, StreamReset) for event in client.receive_data(raw))
    return found


async def until_let_go(heard: Listener) -> None:
    """Until the application has no connection in the midst of a request."""
    while not all(writer.is_closing() for writer in heard.writers):
        await asyncio.sleep(0.1)


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
