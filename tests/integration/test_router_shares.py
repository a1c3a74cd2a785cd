# ruff: noqa: E501   rows of tables are lines
"""What all environments have together in the router: nobody takes a neighbour's share of it."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from typing import Any

import pytest
from aiohttp import web

from deployd.project.model import PathRedirect, RouteCache
from deployd.router.control import Router, RouterRefused
from deployd.router_process.nginx_conf import routes_memory_mb
from tests.support.router_stand import Stand, ask, backend, route, routes, running_router, wait_until_held

MEGABYTE = 1024 * 1024
CONNECTIONS = 128
CACHE = RouteCache(default_ttl_seconds=600, cookies=())


@pytest.fixture(scope="module")
def stand() -> Iterator[Stand]:
    """With small shares and one worker, which has all of its connections."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("deployd.router_process.nginx_conf.CONNECTIONS", CONNECTIONS)
        with running_router(
            workers=1, project_routes_mb=1, routes_mb=routes_memory_mb(2, 1), project_requests=5, cache_mb=64,
            projects=("mallory", "neighbour"),
        ) as found:
            yield found


@pytest.fixture
async def router(stand: Stand) -> AsyncIterator[Router]:
    async with stand.router() as found:
        await found.complete()
        yield found


def filling(bytes_wanted: int) -> tuple[PathRedirect, ...]:
    """Redirects that take about so much in the router."""
    return tuple(PathRedirect(f"/{number}/{'x' * 900}", "/") for number in range(bytes_wanted // 1100))


async def test_a_project_that_has_filled_its_share_is_refused_and_a_neighbours_push_goes_through(
    stand: Stand, router: Router,
) -> None:
    async with backend("shop") as shop:
        one = route("one.test", shop.target, redirects=filling(600_000))
        await router.switch(routes("mallory/one", "1", one))
        two = routes("mallory/two", "1", route("two.test", shop.target, redirects=filling(600_000)))
        for _ in range(3):
            with pytest.raises(RouterRefused, match=r"routes of the project mallory would take 1\.\d MB of its memory.* 1\.0 MB"):
                await router.switch(two)
        await router.freeze("mallory/two", 30, ["two.test"])
        with pytest.raises(RouterRefused, match=r"router\.project_routes_mb"):
            await router.preview(two)
        await router.thaw("mallory/two")
        assert (await ask(stand, "two.test")).status == 404
        for version in "23":   # one's own is replaced, not added
            await router.switch(routes("mallory/one", version, one))
        for number in range(5):   # a neighbour's whole share is there, again and again
            whole = route("neighbour.test", shop.target, redirects=filling(900_000), path=f"/{number}/")
            await router.switch(routes("neighbour/main", str(number), whole))
        assert (await ask(stand, "neighbour.test", "/4/")).status == 200
        await router.remove("mallory/one")
        await router.switch(two)
        assert (await ask(stand, "two.test")).status == 200
        await router.remove("mallory/two")


async def test_what_was_live_comes_back_after_a_restart_whatever_the_share_is_now(stand: Stand, router: Router) -> None:
    async with backend("shop") as shop:
        large = routes("neighbour/large", "1", route("large.test", shop.target, redirects=filling(1_500_000)))
        assert await router.put(large, over=None)
        assert (await ask(stand, "large.test")).status == 200
        await router.remove("neighbour/large")


@pytest.mark.parametrize(("projects", "share_mb"), [(0, 16), (1, 16), (3, 16), (40, 16), (1, 1), (100, 64)])
def test_the_memory_for_routes_has_every_share_and_a_reserve_for_changes(projects: int, share_mb: int) -> None:
    found = routes_memory_mb(projects, share_mb)
    assert found >= 1.25 * share_mb * (projects + 5) or found == 64
    assert found & (found - 1) == 0
    assert routes_memory_mb(projects, share_mb) <= max(64, 2.6 * share_mb * (projects + 5))


@asynccontextmanager
async def slow_pages() -> AsyncIterator[tuple[Any, asyncio.Event]]:
    go_on = asyncio.Event()

    async def slow(_: web.Request) -> web.Response:
        found.connections.add(object())   # one that stands for a request under way
        await go_on.wait()
        return web.Response(text="slow")

    async with backend("slow", routes={"/slow": slow}) as found:
        try:
            yield found, go_on
        finally:
            go_on.set()


@pytest.mark.parametrize("rules", [(), (PathRedirect("/old", "/new"),)], ids=["plain", "by hand"])
async def test_requests_of_one_project_that_never_end_leave_connections_for_the_others(
    stand: Stand, router: Router, rules: tuple[PathRedirect, ...],
) -> None:
    async with slow_pages() as (slow, go_on), asyncio.TaskGroup() as group:
        for number in (1, 2):   # more environments are no more connections
            await router.switch(routes(f"mallory/{number}", "1", route(f"m{number}.test", slow.target, redirects=rules)))
        await router.switch(routes("neighbour/main", "n", route("neighbour.test", slow.target)))
        asked = [group.create_task(ask(stand, f"m{number % 2 + 1}.test", "/slow")) for number in range(5)]
        async with asyncio.timeout(30):
            while len(slow.connections) < 5:
                await asyncio.sleep(0.05)
        assert [(await ask(stand, f"m{number}.test")).status for number in (1, 2)] == [503, 503]
        assert [(await ask(stand, "neighbour.test")).status for _ in range(20)] == [200] * 20
        go_on.set()
        assert {(await task).status for task in asked} == {200}
        assert (await ask(stand, "m1.test", "/slow")).status == 200   # their places are free again


async def test_held_requests_of_one_project_leave_connections_for_the_others(stand: Stand) -> None:
    most = CONNECTIONS * 5 // 8
    async with stand.router(pace=8) as router, backend("shop") as shop:
        for number in (1, 2):
            await router.switch(routes(f"mallory/{number}", "h", route(f"m{number}.test", shop.target)))
        await router.switch(routes("neighbour/main", "h", route("neighbour.test", shop.target)))
        for _ in range(2):   # the second time: all of their places are free again
            for number in (1, 2):
                await router.freeze(f"mallory/{number}", 60)
            async with asyncio.TaskGroup() as group:
                held = [group.create_task(ask(stand, f"m{number % 2 + 1}.test")) for number in range(most)]
                for number in (1, 2):
                    await wait_until_held(router, f"mallory/{number}", most // 2)
                assert {(await ask(stand, f"m{number % 2 + 1}.test")).status for number in range(4)} == {503}
                assert [(await ask(stand, "neighbour.test")).status for _ in range(20)] == [200] * 20
                for number in (1, 2):
                    await router.thaw(f"mallory/{number}")
            assert {task.result().status for task in held} == {200}


async def test_answers_of_one_project_do_not_push_a_neighbours_out_of_the_cache(stand: Stand, router: Router) -> None:
    large = "x" * MEGABYTE

    async def answer(request: web.Request) -> web.Response:
        return web.Response(text=large if request.path.startswith("/large") else "small")

    async with backend("shop", routes={"/{all:.*}": answer}) as shop:
        await router.switch(routes("mallory/1", "c", route("m1.test", shop.target, cache=CACHE)))
        await router.switch(routes("neighbour/main", "c", route("neighbour.test", shop.target, cache=CACHE)))
        assert [(await ask(stand, "neighbour.test", "/a")).headers["x-platform-cache"] for _ in range(2)] == ["MISS", "HIT"]
        for number in range(80):   # more than all of the cache
            assert (await ask(stand, "m1.test", f"/large{number}")).status == 200
        await asyncio.sleep(12)   # nginx looks every ten seconds
        found = {place.name: place for place in stand.places.own.glob("cache*")}
        assert sum(file.stat().st_size for file in found["cache-mallory"].rglob("*") if file.is_file()) < 34 * MEGABYTE
        assert (await ask(stand, "neighbour.test", "/a")).headers["x-platform-cache"] == "HIT"


async def test_an_answer_without_end_is_broken_off_before_it_fills_the_cache(stand: Stand, router: Router) -> None:
    """And goes past the cache the next time, as a download does."""
    pieces = 40

    async def endless(request: web.Request) -> web.StreamResponse:
        answer = web.StreamResponse(headers={"Content-Type": "text/html", "Cache-Control": "max-age=600"})
        await answer.prepare(request)
        for _ in range(pieces):
            await answer.write(b"x" * MEGABYTE)
        return answer

    async with backend("shop", routes={"/endless": endless}) as shop:
        await router.switch(routes("mallory/1", "e", route("m1.test", shop.target, cache=CACHE)))
        sizes = [await size_of_answer(stand, "m1.test", "/endless") for _ in range(2)]
        kept = [file.stat().st_size for file in (stand.places.own / "cache-mallory").rglob("*") if file.is_file()]
    assert sizes[0] < 20 * MEGABYTE
    assert sizes[1] >= pieces * MEGABYTE
    assert max(kept, default=0) < 17 * MEGABYTE


async def size_of_answer(stand: Stand, host: str, path: str) -> int:
    reader, writer = await asyncio.open_connection("127.0.0.1", stand.port)
    writer.write(f"GET {path} HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n".encode())
    found = 0
    try:
        async with asyncio.timeout(60):
            while raw := await reader.read(1 << 20):
                found += len(raw)
    except ConnectionError:
        pass
    finally:
        writer.close()
    return found


async def test_a_line_of_the_access_log_is_short_whatever_the_visitor_writes(stand: Stand, router: Router) -> None:
    async with backend("shop") as shop:
        await router.switch(routes("mallory/1", "l", route("m1.test", shop.target)))
        long = "y" * 7_000
        answer = await ask(stand, "m1.test", f"/{long}", headers=f"Referer: {long}\r\nUser-Agent: {long}\r\n")
        assert answer.status == 200
        assert len(shop.seen[-1]["path"]) == 7_001
        await ask(stand, "m1.test", "/short", headers="Referer: r\r\nUser-Agent: u\r\n")
    async with asyncio.timeout(20):
        while '"path":"/short"' not in stand.places.access_log.read_text():
            await asyncio.sleep(0.1)
    lines = stand.places.access_log.read_text().splitlines()
    assert max(len(line) for line in lines) < 5_000
    short = json.loads(next(line for line in lines if '"path":"/short"' in line).split("\t")[3])
    assert (short["referer"], short["user_agent"]) == ("r", "u")
