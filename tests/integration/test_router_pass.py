"""Operators see a new version while visitors wait for it."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import urlsplit

import pytest
from aiohttp import web

from deployd.project.model import RouteCache
from deployd.router.control import Router, RouterRefused
from deployd.router.passes import pass_link
from deployd.router.table import RouteSet
from tests.support.router_stand import (
    Answer,
    Stand,
    Target,
    ask,
    backend,
    route,
    router,
    routes,
    stand,
    unique,
    wait_until_held,
)

__all__ = ["router", "stand"]


def link(stand: Stand, environment: str, host: str, *, at: datetime | None = None, key: bytes | None = None) -> str:
    """Path and query of an operator's link."""
    url = urlsplit(pass_link(key or stand.places.pass_key.read_bytes(), environment, f"http://{host}/",
                             at or datetime.now(UTC)))
    return f"{url.path}?{url.query}"


async def cookie(stand: Stand, environment: str, host: str) -> str:
    answer = await ask(stand, host, link(stand, environment, host))
    assert (answer.status, urlsplit(answer.headers["location"]).path) == (303, "/")
    return answer.headers["set-cookie"].partition(";")[0]


async def with_cookie(stand: Stand, host: str, text: str, path: str = "/") -> Answer:
    return await ask(stand, host, path, headers=f"Cookie: {text}\r\n")


async def test_who_has_a_pass_sees_the_new_version_in_a_freeze_and_nobody_else_does(
    stand: Stand, router: Router,
) -> None:
    environment, host = unique("pass")
    async with backend("old") as old, backend("new") as new, asyncio.TaskGroup() as group:
        await router.switch(routes(environment, "1", route(host, old.target)))
        text = await cookie(stand, environment, host)
        assert (await with_cookie(stand, host, text)).backend == "old", "it changes nothing while all is open"
        await router.freeze(environment, 30)
        await router.preview(routes(environment, "2", route(host, new.target)))
        visitor = group.create_task(ask(stand, host))
        await wait_until_held(router, environment, 1)
        assert (await with_cookie(stand, host, text, "/page?x=1")).backend == "new"
        assert (await with_cookie(stand, host, f"a=1; {text}; b=2")).backend == "new"
        assert not visitor.done()
        released = await router.switch(routes(environment, "2", route(host, new.target)))
        assert released.held == 1
        assert (await visitor).backend == "new"
        assert (await with_cookie(stand, host, text)).backend == "new"


async def test_a_thaw_forgets_what_only_operators_saw(stand: Stand, router: Router) -> None:
    environment, host = unique("thaw")
    async with backend("old") as old, backend("new") as new:
        await router.switch(routes(environment, "1", route(host, old.target)))
        text, free = await cookie(stand, environment, host), (await router.status()).free_bytes
        for _ in range(3):
            await router.freeze(environment, 30)
            for version in ("2", "3"):
                await router.preview(routes(environment, version, route(host, new.target)))
            assert (await with_cookie(stand, host, text)).backend == "new"
            await router.thaw(environment)
            assert (await with_cookie(stand, host, text)).backend == "old"
        assert (await router.status()).free_bytes >= free   # a page of small pieces may have become free meanwhile
        with pytest.raises(RouterRefused, match="is open"):
            await router.preview(routes(environment, "2", route(host, new.target)))


async def test_without_a_new_version_operators_wait_too_and_in_maintenance_they_see_the_live_one(
    stand: Stand, router: Router,
) -> None:
    environment, host = unique("alone")
    async with backend("shop") as shop, asyncio.TaskGroup() as group:
        await router.switch(routes(environment, "1", route(host, shop.target)))
        text = await cookie(stand, environment, host)
        await router.freeze(environment, 30)
        operator = group.create_task(with_cookie(stand, host, text))
        await wait_until_held(router, environment, 1)
        await router.thaw(environment)
        assert (await operator).status == 200
        await router.maintenance(environment, on=True)
        assert (await ask(stand, host)).status == 503
        assert (await with_cookie(stand, host, text)).status == 200


async def test_the_new_version_is_seen_after_the_freeze_is_over_its_time(stand: Stand, router: Router) -> None:
    environment, host = unique("over")
    async with backend("old") as old, backend("new") as new:
        await router.switch(routes(environment, "1", route(host, old.target)))
        text = await cookie(stand, environment, host)
        await router.freeze(environment, 0.2)
        await router.preview(routes(environment, "2", route(host, new.target)))
        await asyncio.sleep(0.3)
        assert (await ask(stand, host)).status == 503
        assert (await with_cookie(stand, host, text)).backend == "new"
        await router.thaw(environment)


async def test_what_is_not_signed_for_this_environment_and_time_lets_nobody_in(stand: Stand, router: Router) -> None:
    (environment, host), (other, other_host) = unique("mine"), unique("other")
    async with backend("shop") as shop:
        for name, at in ((environment, host), (other, other_host)):
            await router.switch(routes(name, "1", route(at, shop.target)))
        good = link(stand, environment, host)
        text, token = await cookie(stand, other, other_host), good.partition("?")[2]
        bad_links = (
            link(stand, other, host), link(stand, environment, host, key=b"guessed"),
            link(stand, environment, host, at=datetime.now(UTC) - timedelta(minutes=11)),
            good[:-1], good + "0", good[:-1] + ("0" if good[-1] != "0" else "1"), good.partition("?")[0],
            good.partition("?")[0] + "?", f"{good}&x=1",
        )
        for path in bad_links:
            answer = await ask(stand, host, path, headers="Accept: application/json\r\n")
            assert (answer.status, b"pass-refused" in answer.body) == (403, True), path
            assert "set-cookie" not in answer.headers
        await router.maintenance(environment, on=True)
        for forged in (text, f"deployd_pass={token}", "deployd_pass=", "deployd_pass=9999999999." + "0" * 64):
            assert (await with_cookie(stand, host, forged)).status == 503, forged
        await router.maintenance(environment, on=False)


async def test_the_cookie_is_for_this_host_and_no_script_and_the_link_is_in_no_log(
    stand: Stand, router: Router,
) -> None:
    environment, host = unique("flags")
    async with backend("shop") as shop:
        await router.switch(routes(environment, "1", route(host, shop.target)))
        path = link(stand, environment, host)
        answer = await ask(stand, host, path)
        flags = answer.headers["set-cookie"].split("; ")[1:]
        assert flags == ["Path=/", "Max-Age=14400", "HttpOnly", "SameSite=Lax"]
        assert answer.headers["cache-control"] == "no-store"
        assert answer.headers["referrer-policy"] == "no-referrer"
        await ask(stand, host, "/told")
        await asyncio.sleep(1.5)
        written = stand.places.access_log.read_text()
        assert f'"host":"{host}","path":"/told"' in written
        assert path.partition("?")[2] not in written
    assert not shop.seen[-1]["path"].startswith("/.well-known")


async def test_a_page_for_operators_is_put_together_from_parts_of_its_own_version(stand: Stand, router: Router) -> None:
    environment, host = unique("parts")
    page = '<!--#include virtual="/part" --> on the page'

    def told(text: str) -> dict[str, Any]:
        async def answer(request: web.Request) -> web.Response:
            return web.Response(text=text, content_type="text/html")
        return {"/": answer}

    async with (backend("old", routes=told(page)) as old, backend("new", routes=told(page)) as new,
                backend("old part", routes={"/part": told("old")["/"]}) as old_part,
                backend("new part", routes={"/part": told("new")["/"]}) as new_part):
        def set_of(version: str, whole: Target, part: Target) -> RouteSet:
            return routes(environment, version, route(host, whole, ssi=True), route(host, part, path="/part"))

        await router.switch(set_of("1", old.target, old_part.target))
        text = await cookie(stand, environment, host)
        await router.freeze(environment, 30)
        await router.preview(set_of("2", new.target, new_part.target))
        assert (await with_cookie(stand, host, text)).body.decode() == "new on the page"
        await router.thaw(environment)
        assert (await with_cookie(stand, host, text)).body.decode() == "old on the page"


async def test_what_operators_see_is_kept_for_nobody(stand: Stand, router: Router) -> None:
    environment, host = unique("kept")
    cache = RouteCache(enabled=True, default_ttl_seconds=60, cookies=())
    async with backend("old") as old, backend("new") as new:
        def set_of(version: str, target: Target) -> RouteSet:
            kept = (route(host, target, cache=cache), route(host, target, path="/ssi", cache=cache, ssi=True))
            return routes(environment, version, *kept)

        await router.switch(set_of("1", old.target))
        text = await cookie(stand, environment, host)
        await router.freeze(environment, 30)
        await router.preview(set_of("2", new.target))
        for path in ("/page", "/ssi/page"):
            for _ in range(2):
                assert (await with_cookie(stand, host, text, path)).backend == "new"
        assert len(new.seen) == 4
        await router.switch(set_of("2", new.target))
        for path in ("/page", "/ssi/page"):
            assert (await ask(stand, host, path)).headers["x-platform-cache"] == "MISS"
