"""Slow connections end in time, and however many there are, a request that is sent at once is answered."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from typing import Any

import aiohttp
import pytest
from aiohttp import web

from deployd.daemon.connections import BoundedRunner, ConnectionLimits, Connections, heads_counted, let_in

QUICK = ConnectionLimits(
    head_seconds=0.3, answer_seconds=0.3, idle_seconds=0.3, strangers=20, strangers_of_one=10, let_in_of_one=15,
)
HANG_SECONDS = 20

Reading = tuple[asyncio.StreamReader, asyncio.StreamWriter]


@asynccontextmanager
async def served(limits: ConnectionLimits) -> AsyncIterator[tuple[int, asyncio.Event, Connections]]:
    """(port, what lets `/slow` answer, the connections)"""
    go = asyncio.Event()

    async def answer(request: Any) -> web.Response:
        if request.path == "/slow":
            let_in(request)
            await go.wait()
        await request.read()
        return web.Response(text="here")

    async def counted(request: Any) -> web.StreamResponse:
        return await heads_counted(request, answer)

    connections = Connections(limits)
    runner = BoundedRunner(web.Server(counted, access_log=None), connections, shutdown_timeout=0.1)
    await runner.setup()
    try:
        site = web.TCPSite(runner, "127.0.0.1", 0)
        await site.start()
        yield runner.addresses[0][1], go, connections
    finally:
        await runner.cleanup()


async def opened(stack: AsyncExitStack, port: int, said: bytes = b"") -> Reading:
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    stack.callback(writer.close)
    if said:
        writer.write(said)
        await writer.drain()
    return reader, writer


async def is_over(reader: asyncio.StreamReader) -> bool:
    try:
        return await reader.read() == b""
    except ConnectionError:
        return True


async def answer_of(port: int, path: str = "/") -> str:
    async with asyncio.timeout(HANG_SECONDS), aiohttp.ClientSession() as session, session.get(
        f"http://127.0.0.1:{port}{path}",
    ) as answer:
        return await answer.text()


async def until(what: Callable[[], bool]) -> None:
    async with asyncio.timeout(HANG_SECONDS):
        while not what():
            await asyncio.sleep(0.01)


@pytest.mark.parametrize("said", [
    b"", b"GET / HTTP/1.1\r\nHost: x\r\nX-Slow: ", b"G", b"\r\n\r\n",
    b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 9\r\n\r\nhalf",
])
async def test_a_request_that_does_not_come_ends_the_connection(said: bytes) -> None:
    async with served(QUICK) as (port, _, _), AsyncExitStack() as stack, asyncio.timeout(HANG_SECONDS):
        reader, _ = await opened(stack, port, said)
        assert await is_over(reader)


async def test_a_head_that_comes_letter_by_letter_is_not_waited_for_longer() -> None:
    async with served(QUICK) as (port, _, connections), AsyncExitStack() as stack, asyncio.timeout(HANG_SECONDS):
        _, writer = await opened(stack, port, b"GET / HTTP/1.1\r\n")
        for number in range(1000):
            if writer.transport.is_closing():
                break
            writer.write(b"X: %d\r\n" % number)
            await asyncio.sleep(0.02)
        assert number < 999
        await until(lambda: connections.open == 0)


async def test_an_answered_connection_that_says_no_more_is_closed() -> None:
    async with served(QUICK) as (port, _, _), AsyncExitStack() as stack, asyncio.timeout(HANG_SECONDS):
        reader, writer = await opened(stack, port, b"GET / HTTP/1.1\r\nHost: x\r\n\r\n")
        assert (await reader.readuntil(b"here")).startswith(b"HTTP/1.1 200")
        writer.write(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n")
        assert (await reader.readuntil(b"here")).startswith(b"HTTP/1.1 200"), "until then it may go on"
        assert await is_over(reader)


async def test_a_request_that_takes_long_is_not_cut() -> None:
    async with served(QUICK) as (port, go, connections), asyncio.TaskGroup() as group:
        answer = group.create_task(answer_of(port, "/slow"))
        await until(lambda: connections.open == 1)
        await asyncio.sleep(3 * QUICK.head_seconds)
        assert not answer.done()
        go.set()
        assert await answer == "here"


@pytest.mark.parametrize("said", [
    b"GET / HTTP/1.1\r\n", b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 9\r\n\r\nhalf",
])
async def test_those_that_came_first_go_and_new_ones_are_answered(said: bytes) -> None:
    patient = ConnectionLimits(strangers=20, strangers_of_one=10)
    async with served(patient) as (port, _, connections), AsyncExitStack() as stack:
        slow = [await opened(stack, port, said) for _ in range(30)]
        assert await answer_of(port) == "here"
        await until(lambda: connections.strangers <= 10)
        ends = [reader.at_eof() or reader.exception() is not None for reader, _ in slow]
        assert ends == sorted(ends, reverse=True), "the oldest first"
        assert sum(ends) >= 20


async def test_one_address_is_served_so_many_at_once_and_they_are_not_cut_for_new_ones() -> None:
    async with served(QUICK) as (port, go, connections), AsyncExitStack() as stack:
        heads = [await opened(stack, port, b"GET /slow HTTP/1.1\r\nHost: x\r\n\r\n") for _ in range(15)]
        await until(lambda: connections.strangers == 0)
        with pytest.raises(aiohttp.ClientError):
            await answer_of(port)
        go.set()
        for reader, _ in heads:
            async with asyncio.timeout(HANG_SECONDS):
                await reader.readuntil(b"here")


async def test_nothing_is_left_of_connections_that_ended() -> None:
    async with served(QUICK) as (port, _, connections), AsyncExitStack() as stack:
        for _ in range(40):
            await opened(stack, port)
        await until(lambda: connections.open == 0)
        assert connections.strangers == 0
        assert not connections._open_of
        assert not connections._strangers_of


async def test_a_stranger_that_asks_again_is_behind_those_that_say_nothing() -> None:
    patient = ConnectionLimits(strangers=20, strangers_of_one=10)
    async with served(patient) as (port, _, connections), AsyncExitStack() as stack, asyncio.timeout(HANG_SECONDS):
        reader, writer = await opened(stack, port)
        for _ in range(5):
            await until(lambda: connections.open >= 1)
            writer.write(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n")
            assert (await reader.readuntil(b"here")).startswith(b"HTTP/1.1 200")
            for _ in range(6):
                await opened(stack, port, b"GET")
            await asyncio.sleep(0)
            await until(lambda: connections.strangers <= 10)
