"""The load generator: whom it refuses, and what it calls a failure."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager

import pytest
from aiohttp import web

from scripts.load import Ask, Counted, Load, refuse_foreign

PAGE = (Ask("GET", "/"),)


@asynccontextmanager
async def serving(answer: Callable[[web.Request], Awaitable[web.Response]]) -> AsyncIterator[str]:
    app = web.Application()
    app.router.add_route("*", "/{path:.*}", answer)
    runner = web.AppRunner(app, access_log=None)
    await runner.setup()
    try:
        site = web.TCPSite(runner, "127.0.0.1", 0)
        await site.start()
        yield f"http://shop.localhost:{site._server.sockets[0].getsockname()[1]}"  # type: ignore[union-attr]
    finally:
        await runner.cleanup()


async def ask(load: Load, least: int = 5) -> Counted:
    """Until it has asked so often: a busy machine takes its time."""
    async with asyncio.TaskGroup() as group, asyncio.timeout(60):
        running = group.create_task(load.run())
        while load.counted.requests < least:
            await asyncio.sleep(0.02)
        load.stop()
    return running.result()


@pytest.mark.parametrize("host", ["localhost", "main-x-shop.localhost", "127.0.0.1", "127.8.8.8", "::1", "LOCALHOST."])
def test_this_machine_is_accepted(host: str) -> None:
    refuse_foreign(host)


@pytest.mark.parametrize("host", ["example.com", "localhost.example.com", "10.0.0.1", "notlocalhost", "", "0.0.0.0"])
def test_other_machines_are_refused(host: str) -> None:
    with pytest.raises(ValueError, match="not this machine"):
        refuse_foreign(host)


async def test_every_answer_is_counted_and_none_fails() -> None:
    async def answer(request: web.Request) -> web.Response:
        return web.Response(headers={"X-Shop-Version": "1"})

    async with serving(answer) as url:
        counted = await ask(Load(url, PAGE, rate=100, old="1"))
    assert counted.requests >= 5
    assert (counted.failed, counted.versions["1"], counted.statuses["200"]) == (0, counted.requests, counted.requests)


async def test_another_status_is_a_failure_with_its_text() -> None:
    async def answer(request: web.Request) -> web.Response:
        return web.Response(status=503, text="maintenance")

    async with serving(answer) as url:
        counted = await ask(Load(url, PAGE, rate=50))
    assert counted.failed == counted.requests > 0
    assert counted.failures[0] == "GET /: status 503 instead of 200: maintenance"


async def test_a_connection_that_is_closed_without_an_answer_is_a_failure_and_not_tried_again() -> None:
    asked = 0

    async def answer(request: web.Request) -> web.Response:
        nonlocal asked
        asked += 1
        assert request.transport is not None
        request.transport.close()
        return web.Response()

    async with serving(answer) as url:
        counted = await ask(Load(url, PAGE, rate=50))
    assert counted.failed == counted.requests == asked


async def test_the_old_version_after_the_new_one_is_a_failure() -> None:
    asked = 0

    async def answer(request: web.Request) -> web.Response:
        nonlocal asked
        asked += 1
        return web.Response(headers={"X-Shop-Version": "2" if asked == 3 else "1"})

    async with serving(answer) as url:
        counted = await ask(Load(url, PAGE, rate=50, old="1", one_at_a_time=True))
    assert counted.versions["2"] == 1
    assert counted.failed == counted.old_after_new == counted.requests - 3 > 0


async def test_an_answer_that_was_held_counts_as_the_longest_wait() -> None:
    async def answer(request: web.Request) -> web.Response:
        await asyncio.sleep(0.3)
        return web.Response()

    async with serving(answer) as url:
        counted = await ask(Load(url, PAGE, rate=50))
    assert counted.failed == 0
    assert 0.3 <= counted.longest_wait < 60
    assert counted.longest_was == "GET /"
