"""Ten thousand routes in a thousand environments: what they take, how soon a change among them is seen, and what they
cost a request, beside the same router with one route."""

from __future__ import annotations

import time
from collections.abc import Callable

import aiohttp

from deployd.router.control import Router
from deployd.router.table import RouteSet
from tests.bench.peers import backends
from tests.bench.router import requests_per_second
from tests.support.memory import memory_kb
from tests.support.outcome import Outcome, median
from tests.support.router_stand import Target, route, routes, running_router

ENVIRONMENTS, HOSTS = 1000, 10
CHANGES, ROUNDS, SECONDS = 50, 5, 3
ONE = "bench.localhost"
OF_ONE, CHANGE_SECONDS = 0.95, 0.05


async def measure(say: Callable[[str], None]) -> Outcome:
    with running_router() as few, running_router() as many:
        async with few.router() as small, many.router() as large, backends("1", "2") as ports:
            targets = {version: Target("127.0.0.1", port) for version, port in ports.items()}
            for router in (small, large):
                await router.switch(routes("bench/main", "1", route(ONE, targets["1"])))
                await router.complete()
            empty = await memory_kb(many.name)
            began = time.perf_counter()
            for number in range(ENVIRONMENTS):
                await large.switch(_environment(number, "1", targets["1"]))
            put = time.perf_counter() - began
            taken = (await memory_kb(many.name) - empty) / 1000
            say(f"{ENVIRONMENTS * HOSTS} routes put in {put:.1f} s")
            changes = [await _change(large, many.port, number, targets) for number in range(CHANGES)]
            rates: dict[str, list[float]] = {"few": [], "many": []}
            for number in range(ROUNDS):
                rates["few"].append(await requests_per_second(few.port, SECONDS))
                rates["many"].append(await requests_per_second(many.port, SECONDS))
                say(f"round {number + 1}: {rates['many'][-1]:,.0f}/s, with one route {rates['few'][-1]:,.0f}/s")
    ratio = median([mine / other for mine, other in zip(rates["many"], rates["few"], strict=True)], 2)
    seen = median(changes, 4)
    return Outcome(
        "routes",
        {"routes": ENVIRONMENTS * HOSTS, "put_seconds": round(put, 2), "memory_mb": round(taken, 1),
         "change_seen_seconds": seen, "slowest_change_seconds": round(max(changes), 4),
         "requests_per_second": median(rates["many"], 0)},
        {"routes": 1, "requests_per_second": median(rates["few"], 0)},
        ratio, f"at least {OF_ONE} of the rate with one route, a change seen within {CHANGE_SECONDS * 1000:.0f} ms",
        ratio >= OF_ONE and seen <= CHANGE_SECONDS,
        (f"{ENVIRONMENTS} environments with {HOSTS} hosts each; one is changed, and a visitor's next request sees it",
         "memory is what the proportional set size of nginx's processes grew by"),
    )


def _environment(number: int, version: str, target: Target) -> RouteSet:
    return routes(f"bench/e{number}", version, *(route(f"h{host}.e{number}.test", target) for host in range(HOSTS)))


async def _change(router: Router, port: int, number: int, targets: dict[str, Target]) -> float:
    """Seconds from the command to an answer of the new version."""
    async with aiohttp.ClientSession() as session:
        began = time.perf_counter()
        await router.switch(_environment(number, "2", targets["2"]))
        async with session.get(f"http://127.0.0.1:{port}/", headers={"Host": f"h3.e{number}.test"}) as answer:
            assert answer.headers["X-Version"] == "2"
        return time.perf_counter() - began
