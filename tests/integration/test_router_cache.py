"""What is kept of applications' answers, for whom, and for how long."""

from __future__ import annotations

import asyncio
import itertools
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from typing import Any

import aiohttp
import pytest
from aiohttp import web
from multidict import CIMultiDict

from deployd.project.model import RouteCache
from deployd.router.control import Router
from deployd.router.table import Target
from tests.support.router_stand import (
    Answer,
    Stand,
    ask,
    backend,
    docker,
    route,
    router,
    routes,
    stand,
    unique,
    wait_until_held,
)

__all__ = ["router", "stand"]

CACHE = RouteCache()


class Counting:
    """An application that numbers its answers and says of itself what it is told to."""

    def __init__(self) -> None:
        self.numbers = itertools.count(1)
        self.headers: Mapping[str, str] = {}
        self.seen: list[web.Request] = []
        self.target = Target("127.0.0.1", 0)

    async def answer(self, request: web.Request) -> web.StreamResponse:
        self.seen.append(request)
        if request.headers.get("If-None-Match") == self.headers.get("ETag", ""):
            return web.Response(status=304, headers=self.headers)
        return web.Response(text=f"answer {next(self.numbers)}", headers=self.headers)


@asynccontextmanager
async def counting(router: Router, environment: str, host: str, cache: RouteCache = CACHE) -> AsyncIterator[Counting]:
    app = Counting()
    async with backend("shop", routes={"/{all:.*}": app.answer}) as shop:
        app.target = shop.target
        await router.switch(routes(environment, "1", route(host, shop.target, cache=cache)))
        yield app


def shown(answer: Answer) -> tuple[str, str | None]:
    return answer.body.decode(), answer.headers.get("x-platform-cache")


async def test_only_what_the_application_allows_is_kept(stand: Stand, router: Router) -> None:
    environment, host = unique("allowed")
    async with counting(router, environment, host) as app:
        for control, kept in {
            "": False, "max-age=60": True, "public": False, "s-maxage=60, max-age=0": True, "max-age=0": False,
            "private, max-age=60": False, "no-store": False, "no-cache, max-age=60": False,
        }.items():
            app.headers = {"Cache-Control": control} if control else {}
            path = f"/{control.replace(' ', '')}"
            first, second = [await ask(stand, host, path) for _ in range(2)]
            assert first.headers["x-platform-cache"] == "MISS", control
            assert (first.body == second.body) == kept, control
            assert second.headers["x-platform-cache"] == ("HIT" if kept else "MISS"), control
        app.headers = {"Cache-Control": "max-age=60", "Set-Cookie": "a=b"}
        assert shown(await ask(stand, host, "/cookie")) != shown(await ask(stand, host, "/cookie"))
        app.headers = {"Cache-Control": "max-age=60", "Vary": "*"}
        assert shown(await ask(stand, host, "/star")) != shown(await ask(stand, host, "/star"))


async def test_what_the_application_calls_private_is_never_kept_whatever_stands_before_it_says(
    stand: Stand, router: Router,
) -> None:
    """The web container of the application repeats its word in a header of ours (`SAID` of `web_upstream.py`)."""
    environment, host = unique("said")
    shared, word = {"Cache-Control": "max-age=60"}, "X-Deployd-Cache-Control"
    private: tuple[dict[str, str], ...] = (
        shared | {word: "private"}, shared | {word: "No-Store"}, shared | {word: 'max-age=60, no-cache="Set-Cookie"'},
        {word: "private"}, {"Cache-Control": 'public, PRIVATE="x", max-age=60'}, {"Pragma": "no-cache"},
        shared | {"Vary": "Accept, *"}, shared | {"Vary": "X-Client-IP"}, shared | {"Vary": "accept,x-forwarded-for"},
        shared | {"Vary": "X-Request-Id"}, shared | {"Set-Cookie": "a=b"}, {"Set-Cookie": "a=b"},
    )
    async with counting(router, environment, host, RouteCache(default_ttl_seconds=60)) as app:
        for number, app.headers in enumerate((*private, shared | {"Pragma": "no-cache"}, shared | {word: "max-age=5"})):
            first, second = [await ask(stand, host, f"/{number}") for _ in range(2)]
            kept = number >= len(private)
            assert (first.body == second.body) == kept, app.headers
            assert second.headers["x-platform-cache"] == ("HIT" if kept else "MISS"), app.headers
            assert word.lower() not in second.headers, "visitors do not see it"
        several = CIMultiDict([("Cache-Control", "max-age=60"), ("Cache-Control", "private")])
        app.headers = several
        assert shown(await ask(stand, host, "/twice")) != shown(await ask(stand, host, "/twice"))
        app.headers = shared
        await ask(stand, host, "/kept")
        for headers in ("Authorization: Bearer x\r\n", "Cookie: a=b\r\n"):
            assert shown(await ask(stand, host, "/kept", headers=headers))[1] == "BYPASS"


async def test_a_default_time_counts_when_the_application_says_nothing(stand: Stand, router: Router) -> None:
    environment, host = unique("default")
    async with counting(router, environment, host, RouteCache(default_ttl_seconds=60)) as app:
        assert [shown(await ask(stand, host)) for _ in range(2)] == [("answer 1", "MISS"), ("answer 1", "HIT")]
        app.headers = {"Cache-Control": "max-age=0"}
        assert [shown(await ask(stand, host, "/x")) for _ in range(2)] == [("answer 2", "MISS"), ("answer 3", "MISS")]


async def test_some_requests_go_past_the_cache(stand: Stand, router: Router) -> None:
    environment, host = unique("bypass")
    async with counting(router, environment, host) as app:
        app.headers = {"Cache-Control": "max-age=60"}
        await ask(stand, host)
        for headers in ("Cookie: a=b\r\n", "Authorization: Basic eDp5\r\n", "Accept: text/event-stream\r\n",
                        "Range: bytes=0-1\r\n"):
            assert shown(await ask(stand, host, headers=headers))[1] == "BYPASS", headers
        assert shown(await ask(stand, host, method="POST", body=b"x"))[1] == "BYPASS"
        assert (await ask(stand, host, method="HEAD")).headers["x-platform-cache"] == "HIT"
        await router.switch(routes(environment, "2", route(host, app.target, cache=RouteCache(enabled=False))))
        assert "x-platform-cache" not in (await ask(stand, host)).headers


@pytest.mark.parametrize(("cookies", "sent", "same"), [
    ((), ("a=1", "a=2"), True),
    (("sid",), ("sid=1; b=1", "b=2; sid=1"), True),
    (("sid",), ("sid=1", "sid=2"), False),
    (("/^SS?ESS.*/",), ("SSESSx=1", "SSESSx=2"), False),
    (("/^SS?ESS.*/",), ("xSESS=1", "xSESS=2"), True),
])
async def test_only_listed_cookies_make_a_difference(
    stand: Stand, router: Router, cookies: tuple[str, ...], sent: tuple[str, str], same: bool,
) -> None:
    environment, host = unique("cookies")
    async with counting(router, environment, host, RouteCache(cookies=cookies)) as app:
        app.headers = {"Cache-Control": "max-age=60"}
        one, other = [await ask(stand, host, headers=f"Cookie: {cookie}\r\n") for cookie in sent]
    assert (one.body == other.body) == same


async def test_listed_headers_the_query_and_vary_make_a_difference(stand: Stand, router: Router) -> None:
    environment, host = unique("key")
    async with counting(router, environment, host) as app:
        app.headers = {"Cache-Control": "max-age=60", "Vary": "X-Colour, Accept-Encoding"}
        found = [(await ask(stand, host, path, headers=headers)).body for path, headers in (
            ("/", ""), ("/", "Accept-Language: de\r\n"), ("/?a=1", ""), ("/", "X-Colour: red\r\n"),
            ("/", "Accept-Encoding: x-none\r\n"),
        )]
    assert found == [b"answer 1", b"answer 2", b"answer 3", b"answer 4", b"answer 1"]


async def test_what_is_too_old_is_asked_for_again_and_may_be_confirmed(stand: Stand, router: Router) -> None:
    environment, host = unique("revalidate")
    async with counting(router, environment, host) as app:
        app.headers = {"Cache-Control": "max-age=1", "ETag": '"v1"'}
        assert shown(await ask(stand, host)) == ("answer 1", "MISS")
        await asyncio.sleep(2.2)
        assert shown(await ask(stand, host)) == ("answer 1", "HIT")
        assert app.seen[-1].headers["If-None-Match"] == '"v1"'
        app.headers = {"Cache-Control": "max-age=60", "ETag": '"v2"'}
        await asyncio.sleep(2.2)
        assert shown(await ask(stand, host)) == ("answer 2", "MISS")
        assert (await ask(stand, host, headers='If-None-Match: "v2"\r\n')).status == 304


async def test_a_switch_leaves_nothing_of_the_version_before(stand: Stand, router: Router) -> None:
    environment, host = unique("flush")
    async with counting(router, environment, host) as app:
        app.headers = {"Cache-Control": "max-age=60"}
        assert shown(await ask(stand, host))[0] == shown(await ask(stand, host))[0] == "answer 1"
        await router.switch(routes(environment, "2", route(host, app.target, cache=CACHE)))
        assert shown(await ask(stand, host)) == ("answer 2", "MISS")


async def test_environments_share_nothing_even_with_one_host_after_the_other(stand: Stand, router: Router) -> None:
    (one, host), (other, _) = unique("one"), unique("other")
    async with counting(router, one, host) as app:
        app.headers = {"Cache-Control": "max-age=60"}
        await ask(stand, host)
        await router.remove(one)
        await router.switch(routes(other, "1", route(host, app.target, cache=CACHE)))
        assert shown(await ask(stand, host)) == ("answer 2", "MISS")


async def test_what_is_not_kept_streams_as_without_a_cache(stand: Stand, router: Router) -> None:
    go_on = asyncio.Event()

    async def slow(request: web.Request) -> web.StreamResponse:
        answer = web.StreamResponse(headers={"Content-Type": "text/plain"})
        await answer.prepare(request)
        await answer.write(b"one")
        await go_on.wait()
        await answer.write(b"two")
        return answer

    environment, host = unique("slow")
    async with backend("shop", routes={"/slow": slow}) as shop, aiohttp.ClientSession() as session:
        await router.switch(routes(environment, "1", route(host, shop.target, cache=CACHE)))
        async with session.get(stand.url("/slow"), headers={"Host": host}) as answer:
            assert await asyncio.wait_for(answer.content.readexactly(3), 5) == b"one"
            go_on.set()
            assert await asyncio.wait_for(answer.content.readexactly(3), 5) == b"two"


async def test_large_and_boundless_answers_are_not_kept(stand: Stand, router: Router) -> None:
    async def large(request: web.Request) -> web.StreamResponse:
        answer = web.StreamResponse(headers={"Cache-Control": "max-age=60", "Content-Type": "application/zip"})
        await answer.prepare(request)
        for _ in range(8):
            await answer.write(b"x" * 65_536)
        return answer

    environment, host = unique("large")
    async with backend("shop", routes={"/large": large}) as shop:
        await router.switch(routes(environment, "1", route(host, shop.target, cache=CACHE)))
        found = [await ask(stand, host, "/large") for _ in range(2)]
    assert [(len(answer.body), answer.headers["x-platform-cache"]) for answer in found] == [(524_288, "MISS")] * 2


async def test_the_application_sees_the_same_request_and_the_visitor_the_same_pages(
    stand: Stand, router: Router,
) -> None:
    environment, host = unique("same")
    async with counting(router, environment, host) as app:
        forged = "X-Deployd-To: 127.0.0.1:1\r\nX-Forwarded-For: 1.2.3.4\r\n"
        answer = await ask(stand, host, "/a%20b?c=d", headers=forged)
        headers = {name.lower(): value for name, value in app.seen[0].headers.items()}
    assert str(app.seen[0].rel_url) == "/a%20b?c=d"
    assert headers["host"] == headers["x-forwarded-host"] == f"{host}:{stand.port}"
    assert headers["x-forwarded-for"] == "1.2.3.4, 127.0.0.1"
    assert headers["x-client-ip"] == "127.0.0.1"
    assert headers["x-original-route"] == "http://{default}/"
    assert headers["x-request-id"] == answer.headers["x-request-id"]
    assert not [name for name in headers if name.startswith("x-deployd")]
    assert not [name for name in answer.headers if name.startswith("x-accel")]
    await router.switch(routes(environment, "2", route(host, Target("127.0.0.1", 1), cache=CACHE)))
    down = await ask(stand, host, "/")
    assert (down.status, b"does not answer" in down.body) == (502, True)
    assert down.headers["x-request-id"].encode() in down.body


async def test_of_a_crowd_only_one_asks_the_application(stand: Stand, router: Router) -> None:
    environment, host = unique("herd")

    async def slow(_: web.Request) -> web.StreamResponse:
        calls.append(1)
        await asyncio.sleep(0.3)
        return web.Response(text="page", headers={"Cache-Control": "max-age=60"})

    calls: list[int] = []
    async with backend("shop", routes={"/": slow}) as shop, asyncio.TaskGroup() as group:
        await router.switch(routes(environment, "1", route(host, shop.target, cache=CACHE)))
        asked = [group.create_task(ask(stand, host)) for _ in range(20)]
        answers = [await task for task in asked]
    assert {answer.body for answer in answers} == {b"page"}
    assert len(calls) < 5


async def test_other_programs_of_the_host_cannot_reach_the_server_behind_the_cache(stand: Stand) -> None:
    behind = stand.places.behind.relative_to(stand.places.folder)
    told = docker("run", "--rm", "--user", "nobody", "-v", f"{stand.places.folder}:/seen", "deployd/router:1",
                  "ls", f"/seen/{behind}", check=False)
    assert "Permission denied" in told


async def test_a_sticky_route_with_a_cache_keeps_a_client_at_one_container_too(stand: Stand, router: Router) -> None:
    environment, host = unique("stuck")
    async with backend("a") as a, backend("b") as b:
        for number, (sticky, expected) in enumerate(((True, 1), (False, 2))):
            both = route(host, a.target, b.target, sticky=sticky, cache=CACHE)
            await router.switch(routes(environment, str(number), both))
            assert len({(await ask(stand, host, f"/{path}")).backend for path in range(10)}) == expected


async def test_a_default_time_counts_for_nothing_that_carries_its_own(stand: Stand, router: Router) -> None:
    """Files of the web container do: nginx writes `no-cache` where `expires` is -1."""
    environment, host = unique("own")
    async with counting(router, environment, host, RouteCache(default_ttl_seconds=60)) as app:
        for headers in ({"Cache-Control": "no-cache"}, {"Expires": "Thu, 01 Jan 1970 00:00:01 GMT"},
                        {"Cache-Control": "must-revalidate"}):
            app.headers, path = headers, f"/{'-'.join(headers.values()).replace(' ', '')}"
            assert shown(await ask(stand, host, path))[0] != shown(await ask(stand, host, path))[0], headers


async def test_long_heads_of_requests_and_answers_pass(stand: Stand, router: Router) -> None:
    async def wordy(_: web.Request) -> web.Response:
        return web.Response(text="x", headers={"X-Long": "y" * 15_000, "Cache-Control": "max-age=60"})

    environment, host = unique("long")
    async with backend("shop", routes={"/{all:.*}": wordy}) as shop:
        await router.switch(routes(environment, "1", route(host, shop.target, cache=CACHE)))
        path = f"/?{'q' * 3000}"
        found = [await ask(stand, host, path, headers=f"X-Word: {'w' * 7000}\r\n") for _ in range(2)]
    assert [(answer.status, answer.headers["x-platform-cache"]) for answer in found] == [(200, "MISS"), (200, "HIT")]


@pytest.mark.parametrize("ssi", [False, True])
async def test_held_requests_reach_the_new_version_and_the_crowd_is_let_in_by_and_by(
    stand: Stand, router: Router, *, ssi: bool,
) -> None:
    environment, host = unique("held")
    async with backend("old") as old, backend("new", delay_seconds=0.05) as new, asyncio.TaskGroup() as group:
        more: dict[str, Any] = {"cache": RouteCache(default_ttl_seconds=60), "ssi": ssi}
        await router.switch(routes(environment, "1", route(host, old.target, **more)))
        await ask(stand, host, "/0")
        await router.freeze(environment, 30)
        waiting = [group.create_task(ask(stand, host, f"/{number % 3}")) for number in range(30)]
        await wait_until_held(router, environment, 30)
        await router.switch(routes(environment, "2", route(host, new.target, **more)))
        answers = [await task for task in waiting]
    assert {(answer.status, answer.backend) for answer in answers} == {(200, "new")}
    assert (await router.status()).environments[environment].held_now == 0


@pytest.mark.parametrize("cookie", [
    "; ".join(("a" * 7_900,) * 6), " " * 7_900 + "b", "=" * 7_900, "a=b; " + "c " * 3_900,
], ids=["no sign", "blanks", "signs", "words"])
async def test_cookies_that_are_none_cost_no_more_than_others(stand: Stand, router: Router, cookie: str) -> None:
    """To look for `=` from each letter on held a worker for seconds."""
    environment, host = unique("signs")
    listed = RouteCache(cookies=("kept", "/^deployd/"))
    lines = "".join(f"Cookie: {one}\r\n" for one in cookie.split("; "))
    async with backend("shop") as shop:
        await router.switch(routes(environment, "1", route(host, shop.target, cache=listed)))
        async with asyncio.timeout(20), asyncio.TaskGroup() as group:
            asked = [group.create_task(ask(stand, host, headers=lines)) for _ in range(20)]
    assert {answer.result().status for answer in asked} == {200}


async def test_the_values_of_two_headers_are_not_those_of_two_others(stand: Stand, router: Router) -> None:
    environment, host = unique("apart")
    listed = RouteCache(headers=("X-One", "X-Two"), cookies=("kept",))
    async with counting(router, environment, host, listed) as app:
        app.headers = {"Cache-Control": "max-age=60"}
        for headers in ("X-One: a\tb\r\n", "X-One: a\r\nX-Two: b\r\nCookie: x=1\r\n"):
            assert (await ask(stand, host, headers=headers)).headers["x-platform-cache"] == "MISS"
        assert len(app.seen) == 2
