"""From a visitor's request until a paused application answers it, against the mere start of such containers."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable

import aiohttp

from deployd.environment.naming import machine_name
from scripts.load import LoopbackOnly
from tests.bench.rollback import wait_until_idle
from tests.bench.stand import LIMIT_SECONDS, Stand, bench_stand, by_hand
from tests.support.outcome import Outcome, median

ROUNDS = 5
VISITORS = 100
PROJECT, BRANCH = "small", "nap"
MORE_SECONDS = 1.5


async def measure(say: Callable[[str], None]) -> Outcome:
    ours, start, answered = [], [], 0
    async with bench_stand(PROJECT) as stand:
        repository = await stand.repository(PROJECT)
        await stand.new_version(repository, "1")
        await stand.push(repository, PROJECT, BRANCH)
        for number in range(ROUNDS):
            await _pause(stand)
            start.append((await by_hand(repository, number))[1])
            first, ok = await _visit(stand)
            ours.append(first)
            answered += ok
            say(f"round {number + 1}: woken and answered in {first:.2f} s, the containers' start {start[-1]:.2f} s, "
                f"{ok} of {VISITORS} answered 200")
            async with stand.daemon.session() as session:
                await wait_until_idle(session)
    found, beside = median(ours), median(start)
    return Outcome(
        "wake", {"answered_seconds": found, "slowest_seconds": round(max(ours), 3), "answered": answered},
        {"answered_seconds": beside}, round(found / beside, 2),
        f"at most {MORE_SECONDS} s more than the containers' own start; all {ROUNDS * VISITORS} requests are answered",
        found - beside <= MORE_SECONDS and answered == ROUNDS * VISITORS,
        (f"median of {ROUNDS}, each with {VISITORS} visitors at once: until the last of them has his page",
         "peer: docker run of application and web server until a page is served"),
    )


async def _pause(stand: Stand) -> None:
    path = f"/api/v1/projects/{PROJECT}/environments/{machine_name(BRANCH)}/pause"
    async with stand.daemon.session() as session:
        async with session.post(path, json={}) as answer:
            assert answer.status < 300, await answer.text()
        await wait_until_idle(session)


async def _visit(stand: Stand) -> tuple[float, int]:
    """(seconds until the last of a crowd has its answer, how many were answered 200)"""
    connector = aiohttp.TCPConnector(resolver=LoopbackOnly(), limit=0)
    async with aiohttp.ClientSession(connector=connector) as session, asyncio.timeout(LIMIT_SECONDS):
        async def one() -> int:
            async with session.get(stand.daemon.url(PROJECT, BRANCH)) as answer:
                await answer.read()
                return answer.status

        began = time.perf_counter()
        statuses = await asyncio.gather(*(one() for _ in range(VISITORS)))
        return time.perf_counter() - began, statuses.count(200)
