"""Fifty branches of one project pushed at the same moment, each with code of its own, against one after the other."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from pathlib import Path

from deployd.process import run
from tests.bench.stand import Stand, bench_stand
from tests.support.outcome import Outcome, median

PROJECT = "small"
BRANCHES = 50
SINGLES = 5
RATIO = 0.8
MEMORY_MB = 250.0


async def measure(say: Callable[[str], None]) -> Outcome:
    async with bench_stand(PROJECT) as stand:
        warm = await _trees(stand, "warm", 1)
        await _push(stand, warm)        # networks and folders that all branches share are there from then on
        single = []
        for branch, tree in (await _trees(stand, "single", SINGLES)).items():
            began = time.perf_counter()
            await stand.push(tree, PROJECT, branch)
            single.append(time.perf_counter() - began)
        total = median(single) * BRANCHES
        say(f"one push takes {median(single):.2f} s; {BRANCHES} at once begin")
        trees = await _trees(stand, "many", BRANCHES)
        began = time.perf_counter()
        slowest, failed = await _push(stand, trees)
        makespan = time.perf_counter() - began
        say(f"all ended after {makespan:.1f} s, {failed} failed")
        served = await _served(stand, trees)
        memory = _peak_mb(stand)
        containers = await _containers(stand)
    ratio = round(makespan / total, 2)
    return Outcome(
        "branches",
        {"makespan_seconds": round(makespan, 1), "seconds_each": round(makespan / BRANCHES, 3),
         "slowest_push_seconds": round(slowest, 1), "live": served, "failed": failed,
         "daemon_peak_mb": round(memory, 1), "containers": containers},
        {"makespan_seconds": round(total, 1), "seconds_each": median(single)},
        ratio, f"all {BRANCHES} live, none failed, within {RATIO} of the sum, at most {MEMORY_MB:g} MB",
        served == BRANCHES and not failed and ratio <= RATIO and memory <= MEMORY_MB,
        (f"peer: the sum of {BRANCHES} single pushes, each as long as the median of {SINGLES}",
         "every branch is built, has a network and two containers; the pushers' git runs on the same cores"),
    )


async def _trees(stand: Stand, name: str, count: int) -> dict[str, Path]:
    """{branch: working tree whose page says the branch}"""
    trees = {}
    for number in range(count):
        branch = f"{name}-{number}"
        trees[branch] = await stand.repository(branch)
        await stand.new_version(trees[branch], branch)
    return trees


async def _push(stand: Stand, trees: dict[str, Path]) -> tuple[float, int]:
    """Push all at once. Gives (seconds of the slowest, how many were not deployed)."""
    async with asyncio.TaskGroup() as group:
        pushes = [
            group.create_task(stand.daemon.push(tree, PROJECT, branch=branch, on_line=lambda _: None))
            for branch, tree in trees.items()
        ]
    return max(push.result().seconds for push in pushes), sum(not push.result().deployed for push in pushes)


async def _served(stand: Stand, trees: dict[str, Path]) -> int:
    """How many branches show their own version."""
    for branch in trees:
        await stand.wait_until_served(PROJECT, branch, branch)
    return len(trees)


def _peak_mb(stand: Stand) -> float:
    text = Path(f"/proc/{stand.daemon.running()}/status").read_text()
    return float(next(line.split()[1] for line in text.splitlines() if line.startswith("VmHWM:"))) / 1000


async def _containers(stand: Stand) -> int:
    found = await run("docker", "ps", "--quiet", "--filter", f"label=deployd={stand.daemon.instance}")
    return len(found.text.split())
