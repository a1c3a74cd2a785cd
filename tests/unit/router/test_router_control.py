"""What the control client makes of answers: done, refused for certain, or in doubt."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path

import aiohttp
import pytest
from aiohttp import web

from deployd.router.control import Router, RouterAbsent, RouterRefused, RouterUnanswered, open_router
from deployd.router.paths import RouterPlaces
from deployd.router.table import Released, RouteSet

ROUTES = RouteSet("shop/main", "2", ())


@asynccontextmanager
async def answering(
    folder: Path, handler: Callable[[web.Request], Awaitable[web.StreamResponse]],
) -> AsyncIterator[Router]:
    app = web.Application()
    app.router.add_post("/{command}", handler)
    runner = web.AppRunner(app, shutdown_timeout=0.1)
    await runner.setup()
    places = RouterPlaces(folder)
    places.control.mkdir(parents=True, exist_ok=True)
    await web.UnixSite(runner, str(places.socket)).start()
    try:
        async with open_router(places) as router:
            yield router
    finally:
        await runner.cleanup()


async def test_figures_come_from_the_answer(tmp_path: Path) -> None:
    async def handler(request: web.Request) -> web.Response:
        assert request.path == "/switch"
        return web.json_response({"released": {"held": 3, "longest_seconds": 1.23456, "left": 1}})

    async with answering(tmp_path, handler) as router:
        assert await router.switch(ROUTES) == Released(held=3, longest_seconds=1.235, left=1)


async def test_a_refusal_is_certain(tmp_path: Path) -> None:
    async def handler(request: web.Request) -> web.Response:
        return web.json_response({"refused": "the host a.test belongs to the environment other/main"}, status=409)

    async with answering(tmp_path, handler) as router:
        with pytest.raises(RouterRefused, match=r"refused to switch: the host a\.test belongs"):
            await router.switch(ROUTES)


@pytest.mark.parametrize(("status", "text"), [(500, "{}"), (502, "<html>"), (200, "half an ans"), (200, "[]")])
async def test_any_other_end_is_in_doubt(tmp_path: Path, status: int, text: str) -> None:
    async def handler(request: web.Request) -> web.Response:
        return web.Response(text=text, status=status)

    async with answering(tmp_path, handler) as router:
        with pytest.raises(RouterUnanswered):
            await router.switch(ROUTES)


async def test_a_connection_that_breaks_is_in_doubt(tmp_path: Path) -> None:
    async def handler(request: web.Request) -> web.Response:
        assert request.transport is not None
        request.transport.close()
        return web.Response()

    async with answering(tmp_path, handler) as router:
        with pytest.raises(RouterUnanswered):
            await router.switch(ROUTES)


async def test_silence_is_in_doubt(tmp_path: Path) -> None:
    async def handler(request: web.Request) -> web.Response:
        await asyncio.sleep(5)
        return web.Response()

    async with answering(tmp_path, handler):
        socket = RouterPlaces(tmp_path).socket
        limit, connector = aiohttp.ClientTimeout(total=0.1), aiohttp.UnixConnector(str(socket))
        async with aiohttp.ClientSession(connector=connector, timeout=limit) as session:
            with pytest.raises(RouterUnanswered):
                await Router(session, session, socket).switch(ROUTES)


async def test_nobody_at_the_socket_is_a_refusal(tmp_path: Path) -> None:
    async with open_router(RouterPlaces(tmp_path)) as router:
        with pytest.raises(RouterAbsent, match="does not listen"):
            await router.switch(ROUTES)


async def test_who_is_held_by_the_earlier_router_is_released_too_and_counted(tmp_path: Path) -> None:
    said: list[str] = []

    async def handler(request: web.Request) -> web.Response:
        said.append(request.path)
        return web.json_response({"released": {"held": 3, "longest_seconds": 1, "left": 1}})

    async with answering(tmp_path, handler) as router:
        places = RouterPlaces(tmp_path)
        places.earlier.symlink_to(places.socket.name)
        released = await router.switch(ROUTES)
        assert released == Released(held=6, longest_seconds=1, left=2)
        await router.look("shop/main")
    assert said == ["/switch", "/switch", "/look"]


async def test_an_earlier_router_that_refuses_does_not_matter(tmp_path: Path) -> None:
    said: list[str] = []

    async def handler(request: web.Request) -> web.Response:
        said.append(request.path)
        status = 200 if len(said) == 1 else 409
        return web.json_response({"released": {"held": 3}, "refused": "no"}, status=status)

    async with answering(tmp_path, handler) as router:
        places = RouterPlaces(tmp_path)
        places.earlier.symlink_to(places.socket.name)
        assert await router.thaw("shop/main") == Released(held=3)
    assert said == ["/thaw", "/thaw"]
