"""From the wish to go back until the router serves the earlier version, against the mere start of the containers."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable

import aiohttp

from deployd.environment.naming import machine_name
from tests.bench.stand import Stand, bench_stand, by_hand
from tests.support.outcome import Outcome, median

ROUNDS = 5
PROJECT = "small"
MORE_SECONDS = 1.0


async def measure(say: Callable[[str], None]) -> Outcome:
    ours, start = [], []
    async with bench_stand(PROJECT) as stand:
        repository = await stand.repository(PROJECT)
        for version in ("1", "2"):
            await stand.new_version(repository, version)
            await stand.push(repository, PROJECT)
        # Going back from version 2 leads to 1, and from there to 2 again.
        for number in range(ROUNDS):
            ours.append(await _roll_back(stand, "1" if number % 2 == 0 else "2"))
            start.append((await by_hand(repository, number))[1])
            say(f"round {number + 1}: deployd {ours[-1]:.2f} s, the containers' start {start[-1]:.2f} s")
    found, beside = median(ours), median(start)
    return Outcome(
        "rollback", {"served_seconds": found, "slowest_seconds": round(max(ours), 3)}, {"served_seconds": beside},
        round(found / beside, 2), f"at most {MORE_SECONDS} s more than the containers' own start",
        found - beside <= MORE_SECONDS,
        (f"median of {ROUNDS}", "peer: docker run of application and web server until a page is served"),
    )


async def _roll_back(stand: Stand, expected: str) -> float:
    async with stand.daemon.session() as session:
        began = time.perf_counter()
        path = f"/api/v1/projects/{PROJECT}/environments/{machine_name('main')}/rollback"
        async with session.post(path, json={"lock": False}) as answer:
            assert answer.status < 300, await answer.text()
        served = await stand.wait_until_served(PROJECT, expected)
        await _wait_until_idle(session)
    return served - began


async def _wait_until_idle(session: aiohttp.ClientSession) -> None:
    """Until no activity is under way: the next wish must not wait for the end of this one."""
    async with asyncio.timeout(60):
        while True:
            async with session.get("/status") as answer:
                activities = (await answer.json())["activities"]
            if not activities["pending"] and not activities["in_progress"]:
                return
            await asyncio.sleep(0.05)
