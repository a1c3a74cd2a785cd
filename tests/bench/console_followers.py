"""Five hundred who follow ten deployments, and what they cost these, the daemon, and each other."""

from __future__ import annotations

import asyncio
import json
import statistics
import sys
import time
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from scripts.local_daemon import ROOT, LocalDaemon
from tests.bench.stand import Stand, bench_stand

PROJECT = "small"
DEPLOYMENTS, FOLLOWERS = 10, 500
STALLED = 50
"""Besides, who read nothing of it."""
POLLS_A_SECOND = 200
ROUNDS = 3
LINE_SECONDS, MEMORY_MB, SLOWER = 0.250, 200.0, 1.1
HOOK_SECONDS = 15
FIRST_PAUSE_SECONDS = 3.0
"""Of the hook: meanwhile followers come."""
SETTINGS = {
    "limits": {"deploys": DEPLOYMENTS, "builds": 2},
    "shares": {"deploys": DEPLOYMENTS, "builds": 2},
}
HOOK = f"""
import time
began, number = time.time(), 0
time.sleep({FIRST_PAUSE_SECONDS})
# One after the other, many at once, and one after a silence: as installers print.
while time.time() - began < {HOOK_SECONDS}:
    for lines, pause in ((1, 0.05), (1, 0.1), (1, 0.3), (40, 0.6), (1, 1.4), (5, 0.2), (1, 0.1)):
        for _ in range(lines):
            number += 1
            print(f"line {{number}}: 203 products, 12 categories and 4 stores were indexed at={{time.time():.6f}}",
                  flush=True)
        time.sleep(pause)
"""


@dataclass(frozen=True)
class Round:
    """Ten deployments at once."""

    seconds: tuple[float, ...]
    """Of each, from its begin to its end."""
    found: dict[str, Any]
    """What who followed saw; empty when nobody did."""
    memory_mb: float
    cores: float
    """That the daemon took while they ran."""

    @property
    def mean_seconds(self) -> float:
        return statistics.mean(self.seconds)


async def follow(say: Callable[[str], None]) -> tuple[list[Round], list[Round]]:
    """(rounds without followers, rounds with them), in turn."""
    alone: list[Round] = []
    followed: list[Round] = []
    async with console_stand() as (stand, cookie):
        repository = await stand.repository(PROJECT)
        add_hook(repository, HOOK)
        say("the first round, which makes the environments, is not counted")
        await _round(stand, repository, cookie, "0", 0)
        for number in range(1, ROUNDS + 1):
            alone.append(await _round(stand, repository, cookie, f"{number}", 0))
            followed.append(await _round(stand, repository, cookie, f"{number}f", FOLLOWERS))
            found = followed[-1].found
            say(f"round {number}: {alone[-1].mean_seconds:.1f} s alone, {followed[-1].mean_seconds:.1f} s followed;"
                f" lines after {1000 * found['line_p50']:.0f} ms, p99 {1000 * found['line_p99']:.0f} ms,"
                f" slowest {1000 * found['line_slowest']:.0f} ms; {followed[-1].cores:.2f} cores")
    return alone, followed


@asynccontextmanager
async def console_stand() -> AsyncIterator[tuple[Stand, str]]:
    """A daemon that does ten deployments at once, and the cookie of a browser that is signed in."""
    async with bench_stand(PROJECT, settings=SETTINGS) as stand:
        yield stand, await sign_in(stand.daemon)


async def sign_in(daemon: LocalDaemon) -> str:
    async with daemon.session() as session, session.post(
        "/sign-in", data={"token": daemon.token}, allow_redirects=False, headers={"Authorization": ""},
    ) as answer:
        assert answer.status == 303, await answer.text()
        return answer.headers["Set-Cookie"].partition(";")[0]


def add_hook(repository: Path, program: str) -> None:
    (repository / "hook.py").write_text(program)
    file = repository / ".platform.app.yaml"
    file.write_text(file.read_text().replace("hooks:\n", "hooks:\n    deploy: python3 hook.py\n"))


async def _round(stand: Stand, repository: Path, cookie: str, version: str, followers: int) -> Round:
    await stand.new_version(repository, version)
    pid = stand.daemon.running()
    assert pid is not None
    forget_highest_memory(pid)
    ticks, began = processor_seconds(pid), time.monotonic()
    async with asyncio.TaskGroup() as group:
        branches = [f"branch-{number}" for number in range(DEPLOYMENTS)]
        pushes = [group.create_task(stand.push(repository, PROJECT, branch)) for branch in branches]
        activities = await _all_run(stand.daemon)
        reading = group.create_task(run_readers(stand.daemon, cookie, activities, followers)) if followers else None
    cores = (processor_seconds(pid) - ticks) / (time.monotonic() - began)
    assert all(push.result().deployed for push in pushes)
    return Round(await _seconds(stand.daemon, activities), reading.result() if reading else {}, highest_memory_mb(pid),
                 round(cores, 3))


async def _all_run(daemon: LocalDaemon) -> list[int]:
    async with daemon.session() as session, asyncio.timeout(120):
        while True:
            async with session.get("/api/v1/activities?state=in_progress") as answer:
                found = [item["id"] for item in (await answer.json())["items"]]
            if len(found) == DEPLOYMENTS:
                return found
            await asyncio.sleep(0.1)


async def _seconds(daemon: LocalDaemon, activities: Sequence[int]) -> tuple[float, ...]:
    found = []
    async with daemon.session() as session:
        for number in activities:
            async with session.get(f"/api/v1/activities/{number}") as answer:
                found.append((await answer.json())["seconds"])
    return tuple(found)


async def run_readers(
    daemon: LocalDaemon, cookie: str, activities: Sequence[int], followers: int, polls_a_second: int = POLLS_A_SECOND,
) -> dict[str, Any]:
    """Follow these activities to their ends, in a program of its own."""
    plan = {
        "host": "127.0.0.1", "port": daemon.api_port, "cookie": cookie, "polls_a_second": polls_a_second,
        "paths": [f"/activities/{activities[number % len(activities)]}/events" for number in range(followers)],
        "stalled": [f"/activities/{activities[number % len(activities)]}/events" for number in range(STALLED)],
    }
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "tests.bench.console_readers", cwd=ROOT,
        stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE,
    )
    output, _ = await process.communicate(json.dumps(plan).encode())
    assert process.returncode == 0
    return dict(json.loads(output.splitlines()[-1]))


def processor_seconds(pid: int) -> float:
    """That a process took so far."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / 100


def memory_mb(pid: int, name: str = "VmRSS") -> float:
    text = Path(f"/proc/{pid}/status").read_text()
    return float(next(line.split()[1] for line in text.splitlines() if line.startswith(f"{name}:"))) / 1000


def forget_highest_memory(pid: int) -> None:
    """What `highest_memory_mb` says begins here: proc(5), clear_refs."""
    Path(f"/proc/{pid}/clear_refs").write_text("5")


def highest_memory_mb(pid: int) -> float:
    return memory_mb(pid, "VmHWM")
