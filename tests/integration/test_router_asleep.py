"""Environments that are asleep in the real router: who wakes them, who waits, and what the others get."""

from __future__ import annotations

import asyncio

import pytest

from deployd.router.control import Router
from deployd.router.table import Access, Asleep, RouteSet
from tests.support.router_stand import (
    Answer,
    Stand,
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

HASHED = "$6$saltsalt$qFmFH.bQmmtXzyBY0s9v7Oicd2z4XSIecDzlB5KiA2/jctKu9YterLp8wwnSq.qc.eoxqOmSuNp2xS0ktL3nh/"


def asleep(environment: str, host: str, *, hold: float = 30.0, quiet: float = 0.0, **more: object) -> RouteSet:
    return routes(environment, "1", route(host), asleep=Asleep(hold, quiet), **more)


async def ask_as(stand: Stand, host: str, agent: str, path: str = "/", method: str = "GET") -> Answer:
    return await ask(stand, host, path, method=method, headers=f"User-Agent: {agent}\r\nAccept: text/html\r\n")


async def test_a_hundred_requests_wait_for_the_one_wake_and_are_all_answered(stand: Stand, router: Router) -> None:
    environment, host = unique("wake")
    await router.switch(asleep(environment, host))
    before = await router.sleepers(-1)
    assert environment not in before.environments
    async with backend("woken") as woken, asyncio.TaskGroup() as group:
        waiting = [group.create_task(ask(stand, host, f"/{number}", method="POST" if number % 2 else "GET"))
                   for number in range(100)]
        news = await router.sleepers(before.number)
        assert (environment in news.environments, news.number) == (True, before.number + 1)
        await wait_until_held(router, environment, 100)
        released = await router.switch(routes(environment, "1", route(host, woken.target)))
        answers = [await task for task in waiting]
    assert {(answer.status, answer.backend) for answer in answers} == {(200, "woken")}
    assert (len(woken.seen), released.held) == (100, 100)
    after = await router.sleepers(-1)
    assert (environment in after.environments, after.number) == (False, news.number)


@pytest.mark.parametrize(("agent", "path", "method"), [
    ("Googlebot/2.1", "/", "GET"), ("Firefox", "/", "HEAD"), ("UptimeRobot/2.0", "/health", "GET"),
], ids=["a crawler", "a look", "a monitor"])
async def test_who_comes_for_ever_wakes_nobody(
    stand: Stand, router: Router, agent: str, path: str, method: str,
) -> None:
    environment, host = unique("crawled")
    await router.switch(asleep(environment, host))
    answer = await ask_as(stand, host, agent, path, method)
    assert (answer.status, answer.headers["retry-after"]) == (503, "3600")
    assert environment not in (await router.sleepers(-1)).environments


async def test_its_robots_txt_keeps_crawlers_away_without_waking_it(stand: Stand, router: Router) -> None:
    environment, host = unique("robots")
    await router.switch(asleep(environment, host))
    answer = await ask_as(stand, host, "Firefox", "/robots.txt")
    assert (answer.status, answer.body) == (200, b"User-agent: *\nDisallow: /\n")
    await router.switch(asleep(environment, host, robots=True))
    assert (await ask_as(stand, host, "Firefox", "/robots.txt")).status == 503
    assert environment not in (await router.sleepers(-1)).environments


async def test_what_needs_no_container_is_answered_without_one(stand: Stand, router: Router) -> None:
    environment, host = unique("elsewhere")
    await router.switch(routes(environment, "1", route(host, path="/app"), asleep=Asleep(30.0)))
    assert (await ask(stand, host, "/other")).status == 404
    elsewhere = route(host, type="redirect", to="http://elsewhere.test/")
    await router.switch(routes(environment, "1", elsewhere, asleep=Asleep(30.0)))
    assert (await ask(stand, host)).status == 301
    assert environment not in (await router.sleepers(-1)).environments


async def test_who_may_not_come_in_wakes_nobody(stand: Stand, router: Router) -> None:
    environment, host = unique("kept-out")
    await router.switch(asleep(environment, host, access=Access({"ada": HASHED})))
    assert (await ask_as(stand, host, "Firefox")).status == 401
    assert environment not in (await router.sleepers(-1)).environments


async def test_when_it_takes_long_people_get_a_page_that_loads_itself_and_programs_are_told(
    stand: Stand, router: Router,
) -> None:
    environment, host = unique("slow")
    await router.switch(asleep(environment, host, hold=0.3))
    page = await ask_as(stand, host, "Firefox")
    assert (page.status, page.headers["retry-after"]) == (503, "3")
    assert b"Waking up" in page.body
    assert b'http-equiv="refresh" content="3"' in page.body
    told = await ask(stand, host, headers="Accept: application/json\r\n")
    assert (told.status, told.headers["retry-after"]) == (503, "3")
    assert b'"error": "waking"' in told.body
    assert environment in (await router.sleepers(-1)).environments   # the daemon may have missed it
    async with backend("late") as late:
        await router.switch(routes(environment, "1", route(host, late.target)))
        assert (await ask(stand, host)).backend == "late"


async def test_what_could_not_be_woken_is_left_alone_for_a_while_whoever_comes(stand: Stand, router: Router) -> None:
    environment, host = unique("unwell")
    await router.switch(asleep(environment, host))
    async with asyncio.TaskGroup() as group:
        waiting = [group.create_task(ask_as(stand, host, "Firefox")) for _ in range(20)]
        await wait_until_held(router, environment, 20)
        number = (await router.sleepers(-1)).number
        await router.switch(asleep(environment, host, quiet=1.0))
        answers = [await task for task in waiting]
    assert {(answer.status, answer.headers["retry-after"]) for answer in answers} == {(503, "30")}
    assert (await ask_as(stand, host, "Firefox")).status == 503
    assert (await router.sleepers(-1)).number == number
    await asyncio.sleep(1.0)
    async with asyncio.TaskGroup() as group:
        again = group.create_task(ask_as(stand, host, "Firefox"))
        assert (await router.sleepers(number)).number == number + 1
        async with backend("well") as well:
            await router.switch(routes(environment, "1", route(host, well.target)))
            assert (await again).backend == "well"


async def test_a_deployment_that_fails_leaves_it_asleep_and_who_waited_wakes_it(stand: Stand, router: Router) -> None:
    environment, host = unique("failed")
    await router.switch(asleep(environment, host))
    await router.freeze(environment, 30)
    async with backend("woken") as woken, asyncio.TaskGroup() as group:
        number = (await router.sleepers(-1)).number
        waiting = group.create_task(ask(stand, host))
        await wait_until_held(router, environment, 1)
        await router.thaw(environment)
        assert (await router.sleepers(number)).environments.count(environment) == 1
        assert (await router.status()).environments[environment].asleep
        await router.switch(routes(environment, "1", route(host, woken.target)))
        assert (await waiting).backend == "woken"
    assert not (await router.status()).environments[environment].asleep


async def test_routes_that_are_put_again_do_not_wake_it(stand: Stand, router: Router) -> None:
    environment, host = unique("put")
    await router.switch(asleep(environment, host, hold=0.2))
    async with backend("up") as up:
        assert await router.put(routes(environment, "1", route(host, up.target)), over="1")
        assert (await ask_as(stand, host, "Firefox")).status == 503
        assert (await router.status()).environments[environment].asleep


async def test_a_reload_of_nginx_forgets_nobody_who_sleeps(stand: Stand, router: Router) -> None:
    environment, host = unique("reload")
    await router.switch(asleep(environment, host))
    async with backend("woken") as woken, asyncio.TaskGroup() as group:
        waiting = group.create_task(ask(stand, host))
        await wait_until_held(router, environment, 1)
        stand.reload()
        await asyncio.sleep(0.5)
        assert environment in (await router.sleepers(-1)).environments
        await router.switch(routes(environment, "1", route(host, woken.target)))
        assert (await waiting).backend == "woken"
