"""Who reads nothing does not keep what was made for them."""

from __future__ import annotations

import asyncio
from contextlib import suppress
from typing import Any

import pytest
import uvloop
from aiohttp import web
from aiohttp.test_utils import TestServer

from deployd.http import slow_readers
from deployd.http.event_stream import Event, Streams
from deployd.http.slow_readers import send


@pytest.mark.parametrize("path", ["/page", "/events"])
async def test_who_reads_nothing_is_cut(monkeypatch: pytest.MonkeyPatch, path: str) -> None:
    monkeypatch.setattr(slow_readers, "MOST_SECONDS", 0.2)
    over = asyncio.Event()

    async def page(request: web.Request) -> web.StreamResponse:
        try:
            return await send(request, web.Response(body=b"x" * 50_000_000))
        finally:
            over.set()

    async def events(request: web.Request) -> web.StreamResponse:
        async def endless():   # type: ignore[no-untyped-def]
            while True:
                yield Event("line", "x" * 100_000)

        try:
            return await Streams().answer(request, endless())
        finally:
            over.set()

    app = web.Application()
    app.add_routes([web.get("/page", page), web.get("/events", events)])
    async with TestServer(app) as server:
        reader, writer = await asyncio.open_connection(server.host, server.port, limit=1000)
        writer.write(f"GET {path} HTTP/1.1\r\nHost: x\r\n\r\n".encode())
        await asyncio.wait_for(over.wait(), 5)
        with suppress(ConnectionError):
            async with asyncio.timeout(5):
                while await reader.read(1_000_000):
                    pass
        writer.close()
        with suppress(ConnectionError):
            await writer.wait_closed()


@pytest.mark.parametrize("run_loop", [asyncio.run, uvloop.run])
def test_the_kernel_keeps_little_of_what_nobody_reads(run_loop: Any) -> None:
    written = 0

    async def events(request: web.Request) -> web.StreamResponse:
        async def endless():   # type: ignore[no-untyped-def]
            nonlocal written
            while True:
                written += 10_000
                yield b"data: " + b"x" * 9_992 + b"\n\n"

        return await Streams().answer(request, endless())

    async def main() -> None:
        app = web.Application()
        app.add_routes([web.get("/events", events)])
        async with TestServer(app) as server:
            _, writer = await asyncio.open_connection(server.host, server.port, limit=1000)
            writer.write(b"GET /events HTTP/1.1\r\nHost: x\r\n\r\n")
            before = -1
            while written != before:
                before = written
                await asyncio.sleep(0.3)
            writer.transport.abort()

    run_loop(main())
    assert 0 < written < 1_500_000, "three megabytes, and more, when it is the kernel's choice"
