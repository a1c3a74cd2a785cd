# ruff: noqa: E501   rows of tables are lines
"""Patterns of projects in the router: what a visitor writes is compared with them for a bounded time, and nobody else waits."""

from __future__ import annotations

import asyncio

import pytest

from deployd.project.model import PathRedirect, RouteCache
from deployd.router.control import Router
from tests.support.router_stand import Stand, ask, backend, route, router, routes, stand, unique

__all__ = ["router", "stand"]

NEIGHBOURS = 20


def pattern(text: str) -> PathRedirect:
    return PathRedirect(text, "https://else.example/found", regexp=True)


AMBIGUOUS = tuple(pattern(f"^/(a|aa|aaa)*[x-z{number}]$") for number in range(20_000))
"""More than a project can have, and of a kind that is refused: the router does not rely on it."""
POLYNOMIAL = tuple(pattern(f"^/(.*)(.*)(.*)(.*)x{number}y") for number in range(500))
QUADRATIC = tuple(pattern(rf"(?<=a)\w*?\d!?[x-z{number}]") for number in range(500))
"""Of the allowed kind. Each takes some thousand steps, from each letter of the path on."""


@pytest.mark.parametrize(("rules", "path"), [
    (AMBIGUOUS, "/" + "a" * 60), (AMBIGUOUS[:500], "/" + "a" * 60), (AMBIGUOUS[:1], "/" + "a" * 6_000),
    (POLYNOMIAL, "/" + "x1" * 900 + "y"), (QUADRATIC, "/" + "a" * 7_000), (QUADRATIC, "/" + "a" * 1_900),
], ids=["20,000 ambiguous", "500 ambiguous", "a long path", "500 polynomial", "quadratic, a long path", "quadratic"])
async def test_a_request_that_cannot_be_compared_in_time_is_refused_and_a_neighbours_go_on(
    stand: Stand, router: Router, rules: tuple[PathRedirect, ...], path: str,
) -> None:
    """It is not let past the rules: who finds such a path would have found a way round them."""
    (environment, host), (other, neighbour) = unique("mallory"), unique("neighbour")
    async with backend("shop") as shop:
        await router.switch(routes(environment, "1", route(host, shop.target, redirects=rules)))
        await router.switch(routes(other, "1", route(neighbour, shop.target)))
        await ask(stand, host, "/")   # each worker compiles them once
        async with asyncio.TaskGroup() as group:
            hostile = [group.create_task(ask(stand, host, path)) for _ in range(10)]
            visits = [group.create_task(ask(stand, neighbour)) for _ in range(NEIGHBOURS)]
        assert [answer.result().status for answer in visits] == [200] * NEIGHBOURS
        assert {answer.result().status for answer in hostile} == {503}
        assert "cannot be looked up" in hostile[0].result().body.decode()
        assert [seen["path"] for seen in shop.seen if seen["path"] == path] == []
        assert (await ask(stand, neighbour, path)).status == 200
    async with asyncio.timeout(30):   # it is written a moment after its visitor was answered
        while not (said := [line for line in stand.log().splitlines() if f"{environment} was given up" in line]):
            await asyncio.sleep(0.05)
    assert len(said) <= 2 * 4   # of each worker once


async def test_hundreds_of_patterns_that_are_looked_through_do_what_they_say(stand: Stand, router: Router) -> None:
    environment, host = unique("many")
    rules = (*(pattern(f"^/old{number}/([a-z]+)/.*$") for number in range(499)),
             PathRedirect("^/last/(.*)$", "https://else.example/$1", regexp=True))
    async with backend("shop") as shop:
        await router.switch(routes(environment, "1", route(host, shop.target, redirects=rules)))
        assert (await ask(stand, host, "/last/x")).headers["location"] == "https://else.example/x"
        assert (await ask(stand, host, "/old498/abc/x")).headers["location"] == "https://else.example/found"
        assert (await ask(stand, host, "/" + "old1/" * 390)).status == 200


async def test_a_path_of_thousands_of_parts_is_looked_up_as_fast_as_another(stand: Stand, router: Router) -> None:
    """Each of its beginnings was looked for, though no rule is as long as they are."""
    environment, host = unique("parts")
    rules = (PathRedirect("/a/a/a", "https://else.example/deep"), PathRedirect("/b/", "https://else.example/b"))
    async with backend("shop") as shop:
        await router.switch(routes(environment, "1", route(host, shop.target, redirects=rules)))
        for path, location in (
            ("/a/a/a" + "/x" * 3_500, "https://else.example/deep" + "/x" * 3_500), ("/b" + "/y" * 20, "https://else.example/b" + "/y" * 20),
            ("/a/a/a", "https://else.example/deep"), ("/b", "https://else.example/b"),
        ):
            assert (await ask(stand, host, path)).headers["location"] == location
        for path in ("/a/a" + "/x" * 3_500, "/a/a/ab", "/bb/y", "/" + "c" * 7_900):
            assert (await ask(stand, host, path)).status == 200
        root = (PathRedirect("/", "https://else.example/all"),)
        await router.switch(routes(environment, "2", route(host, shop.target, redirects=root)))
        assert (await ask(stand, host, "/x" * 3)).headers["location"] == "https://else.example/all/x/x/x"


async def test_cookies_that_cannot_be_compared_in_time_lead_past_the_cache(stand: Stand, router: Router) -> None:
    environment, host = unique("cookies")
    cache = RouteCache(cookies=tuple(f"/^(a|aa|aaa)*[x-z{number}]$/" for number in range(50)), default_ttl_seconds=60)
    async with backend("shop") as shop:
        await router.switch(routes(environment, "1", route(host, shop.target, cache=cache)))
        many = "; ".join(f"{'a' * 60}{number % 2 * 'a'}_=1" for number in range(100))
        for _ in range(2):
            answer = await ask(stand, host, headers=f"Cookie: {many}\r\n")
            assert (answer.status, answer.headers["x-platform-cache"]) == (200, "BYPASS")
        assert (await ask(stand, host, headers="Cookie: b=1\r\n")).headers["x-platform-cache"] == "MISS"
        assert (await ask(stand, host, headers="Cookie: b=1\r\n")).headers["x-platform-cache"] == "HIT"
