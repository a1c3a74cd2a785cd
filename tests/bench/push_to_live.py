"""The first push of a small application until its page is served, against a shell script with the same Docker calls."""

from __future__ import annotations

from collections.abc import Callable

from tests.bench.stand import bench_stand, by_hand
from tests.support.outcome import Outcome, median

ROUNDS = 5
PROJECTS = tuple(f"small-{number}" for number in range(ROUNDS))
RATIO = 1.0


async def measure(say: Callable[[str], None]) -> Outcome:
    live, pushed, script = [], [], []
    async with bench_stand(*PROJECTS) as stand:
        for number, project in enumerate(PROJECTS):     # in turn with the script, so that both meet the same machine
            repository = await stand.repository(project)
            await stand.new_version(repository, f"{number}")
            total, _ = await by_hand(repository, number)
            seconds, until_end = await stand.push_and_wait(repository, project, f"{number}")
            live.append(seconds)
            pushed.append(until_end)
            script.append(total)
            say(f"round {number + 1}: deployd {seconds:.2f} s, the script {total:.2f} s")
    ratio = median([ours / beside for ours, beside in zip(live, script, strict=True)])
    return Outcome(
        "push-to-live",
        {"live_seconds": median(live), "push_seconds": median(pushed), "slowest_live_seconds": round(max(live), 3)},
        {"live_seconds": median(script), "slowest_live_seconds": round(max(script), 3)},
        ratio, f"at most {RATIO} of the script's time", ratio <= RATIO,
        (f"median of {ROUNDS}; the script has no router and checks nothing",
         "push seconds: until git ends, with the log's last lines"),
    )
