"""A push of a commit that changes no input of an application, against the mere start of its containers."""

from __future__ import annotations

import time
from collections.abc import Callable

from tests.bench.stand import bench_stand, by_hand
from tests.support.outcome import Outcome, median

ROUNDS = 5
PROJECT = "small"
MORE_SECONDS = 1.5


async def measure(say: Callable[[str], None]) -> Outcome:
    ours, start = [], []
    async with bench_stand(PROJECT) as stand:
        repository = await stand.repository(PROJECT)
        await stand.push(repository, PROJECT)
        since = time.time()
        for number in range(ROUNDS):
            await stand.new_version(repository, "1")     # the same content in another commit
            ours.append((await stand.push(repository, PROJECT)).seconds)
            start.append((await by_hand(repository, number))[1])
            say(f"round {number + 1}: deployd {ours[-1]:.2f} s, the containers' start {start[-1]:.2f} s")
        builds = await stand.containers_made("build", since)
    found, beside = median(ours), median(start)
    return Outcome(
        "unchanged", {"push_seconds": found, "build_containers": builds}, {"push_seconds": beside},
        round(found / beside, 2), f"at most {MORE_SECONDS} s more than the containers' own start, no build container",
        found - beside <= MORE_SECONDS and builds == 0,
        (f"median of {ROUNDS}; until git ends",
         "peer: docker run of application and web server until a page is served"),
    )
