"""What the router sends a second time when a container hangs up, and what it never does."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator

import pytest
from aiohttp import web

from deployd.router.control import Router
from tests.support.router_stand import Stand, ask, backend, route, router, routes, running_router, unique

__all__ = ["router"]


@pytest.fixture(scope="module")
def stand() -> Iterator[Stand]:
    """Its log has errors: containers hang up. With one worker a connection that was kept is the one that is used."""
    with running_router(workers=1) as found:
        yield found


@pytest.mark.parametrize(("method", "times"), [("POST", 1), ("PATCH", 1), ("GET", 2), ("PUT", 2)])
async def test_a_post_that_may_have_been_carried_out_is_never_sent_again(
    stand: Stand, router: Router, method: str, times: int,
) -> None:
    environment, host = unique("again")
    asked: list[str] = []

    async def hang_up(request: web.Request) -> web.StreamResponse:
        asked.append((await request.read()).decode())
        assert request.transport
        request.transport.close()
        return web.Response()

    async with backend("shop", routes={"/hang-up": hang_up}) as shop, asyncio.timeout(30):
        await router.switch(routes(environment, "1", route(host, shop.target)))
        assert (await ask(stand, host)).status == 200   # from now on there is a connection that was kept
        body = b"order" if method != "GET" else b""
        assert (await ask(stand, host, "/hang-up", method=method, body=body)).status == 502
        assert asked == [body.decode()] * times
        asked.clear()
        assert (await ask(stand, host, "/hang-up", method=method, body=body)).status == 502   # on a new connection
        assert len(asked) == 1


@pytest.mark.parametrize(("method", "served"), [("GET", {200}), ("POST", {200, 502})])
async def test_an_instance_whose_application_is_down_is_passed_over_unless_something_may_have_been_done(
    stand: Stand, router: Router, method: str, served: set[int],
) -> None:
    environment, host = unique("down")

    async def is_down(request: web.Request) -> web.StreamResponse:
        return web.Response(status=502)   # as its web container says it

    async with backend("well") as well, backend("down", routes={"/": is_down}) as down, asyncio.timeout(30):
        await router.switch(routes(environment, "1", route(host, well.target, down.target)))
        assert {(await ask(stand, host, method=method)).status for _ in range(6)} == served
        await router.switch(routes(environment, "2", route(host, down.target)))
        assert (await ask(stand, host, method=method)).status == 502
