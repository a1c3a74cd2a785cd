"""From a visitor's request until a paused application answers it, against the mere start of such containers."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from typing import Any

import aiohttp

from deployd.environment.naming import machine_name
from scripts.load import LoopbackOnly
from tests.bench.stand import LIMIT_SECONDS, Stand, bench_stand, by_hand
from tests.support.outcome import Outcome, median

ROUNDS = 5
VISITORS = 100
PROJECT, BRANCH = "small", "nap"
MORE_SECONDS = 1.5


async def measure(say: Callable[[str], None]) -> Outcome:
    ours, last, start, answered = [], [], [], 0
    async with bench_stand(PROJECT) as stand:
        repository = await stand.repository(PROJECT)
        await stand.new_version(repository, "1")
        await stand.push(repository, PROJECT, BRANCH)
        for number in range(ROUNDS):
            await _pause(stand)
            start.append((await by_hand(repository, number))[1])
            seconds, ok = await _visit(stand)
            ours.append(seconds[0])
            last.append(max(seconds))
            answered += ok
            say(f"round {number + 1}: answered in {seconds[0]:.2f} s, the containers' start {start[-1]:.2f} s; "
                f"{ok} of {VISITORS} answered 200, the last after {last[-1]:.2f} s")
    found, beside = median(ours), median(start)
    return Outcome(
        "wake", {"answered_seconds": found, "slowest_seconds": round(max(ours), 3),
                 "last_of_the_crowd_seconds": median(last), "answered": answered},
        {"answered_seconds": beside}, round(found / beside, 2),
        f"at most {MORE_SECONDS} s more than the containers' own start; all {ROUNDS * VISITORS} requests are answered",
        found - beside <= MORE_SECONDS and answered == ROUNDS * VISITORS,
        (f"median of {ROUNDS}: until the visitor who wakes it has his page; {VISITORS - 1} more come right after him",
         "peer: docker run of application and web server until a page is served"),
    )


async def _pause(stand: Stand) -> None:
    path = f"/api/v1/projects/{PROJECT}/environments/{machine_name(BRANCH)}/pause"
    async with stand.daemon.session() as session, asyncio.timeout(LIMIT_SECONDS):
        made: dict[str, Any] = {}
        while "id" not in made:   # the wake before it may have to start its workers yet
            async with session.post(path, json={}) as answer:
                made = await answer.json()
                assert answer.status in (202, 409), made
        while made["state"] in ("pending", "in_progress"):
            await asyncio.sleep(0.05)
            async with session.get(f"/api/v1/activities/{made['id']}") as answer:
                made = await answer.json()
    assert made["state"] == "success", made


async def _visit(stand: Stand) -> tuple[list[float], int]:
    """(seconds until each of a crowd has its answer, in the order in which they came; how many were answered 200)"""
    connector = aiohttp.TCPConnector(resolver=LoopbackOnly(), limit=0)
    async with aiohttp.ClientSession(connector=connector) as session, asyncio.timeout(LIMIT_SECONDS):
        async def one() -> tuple[float, int]:
            began = time.perf_counter()
            async with session.get(stand.daemon.url(PROJECT, BRANCH)) as answer:
                await answer.read()
                return time.perf_counter() - began, answer.status

        answers = await asyncio.gather(*(one() for _ in range(VISITORS)))
        return [seconds for seconds, _ in answers], [status for _, status in answers].count(200)
