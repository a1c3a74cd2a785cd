"""Following what fifty containers print, as `deployd logs -f` does, beside `docker logs -f` of each."""

from __future__ import annotations

import asyncio
import os
import time
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from pathlib import Path

import aiohttp

from deployd.engine.names import Names
from deployd.environment.naming import machine_name
from deployd.ids import EnvironmentId, ProjectId
from deployd.process import run
from tests.bench.stand import Stand, bench_stand
from tests.support.outcome import Outcome

PROJECT = "small"
CONTAINERS = 50
IN_ALL, EACH = 1_000, 50_000
"""Lines a second of all containers together: 1,000 in all, and 1,000 of each."""
MEASURED_SECONDS, SETTLE_SECONDS = 15.0, 3.0
MOST_CORES = 0.1
LEAST_SHARE = 0.9
"""Of the lines that should have been printed: else it is not the rate that was measured."""
TICKS = os.sysconf("SC_CLK_TCK")
LINE = "2026-05-04 10:00:00 INFO request GET /catalog/product/view/id/1742 200 in 34 ms for 203.0.113.7 by worker 12"
PROGRAM = f"""
import sys, time
rate, line = float(sys.argv[1]), "{LINE}\\n"
began, printed = time.monotonic(), 0
while True:
    due = int((time.monotonic() - began) * rate)
    sys.stdout.write(line * (due - printed))
    sys.stdout.flush()
    printed = due
    time.sleep(0.1)
"""


async def measure(say: Callable[[str], None]) -> Outcome:
    figures: dict[str, float] = {}
    peer: dict[str, float] = {}
    async with bench_stand(PROJECT) as stand:
        repository = await stand.repository(PROJECT)
        await stand.push(repository, PROJECT)
        daemon, docker = stand.daemon.running(), int((await run("pidof", "-s", "dockerd")).text)
        for name, rate in (("in_all", IN_ALL), ("each", EACH)):
            async with _printing(stand, rate / CONTAINERS):
                say(f"{CONTAINERS} containers print {rate:,} lines a second together")
                figures[f"{name}_nobody_follows_cores"] = (await _cores([daemon]))[0]
                (ours, of_docker), lines = await _followed(stand, daemon, docker)
                assert lines >= rate * MEASURED_SECONDS * LEAST_SHARE, f"{lines} lines came of {rate} a second"
                figures |= {f"{name}_cores": ours, f"{name}_dockerd_cores": of_docker,
                            f"{name}_lines_a_second": round(lines / MEASURED_SECONDS)}
                theirs, of_docker = await _by_docker_logs(stand, docker)
                peer |= {f"{name}_cores": theirs, f"{name}_dockerd_cores": of_docker}
                say(f"the daemon took {ours:.3f} of a core, {CONTAINERS} docker logs -f {theirs:.3f}")
    ratio = round(figures["each_cores"] / peer["each_cores"], 2) if peer["each_cores"] else None
    return Outcome(
        "logs", figures, peer, ratio,
        f"the daemon takes less than {MOST_CORES:g} of a core for 1,000 lines a second of {CONTAINERS} containers",
        figures["in_all_cores"] < MOST_CORES,
        (f"CPU time of the process over {MEASURED_SECONDS:g} s; one reader of the API who reads it all",
         "in all: 1,000 lines a second of all containers together; each: of each of them",
         "ratio: of the second of these",
         f"peer: {CONTAINERS} processes docker logs -f, for whom dockerd works too; in both it works for who prints"),
    )


async def _followed(stand: Stand, daemon: int, docker: int) -> tuple[list[float], int]:
    lines = 0
    path = f"/api/v1/projects/{PROJECT}/environments/main/logs?follow=1&lines=0"
    headers = {"Authorization": f"Bearer {stand.daemon.token}"}
    no_end = aiohttp.ClientTimeout(total=None)
    async with aiohttp.ClientSession(stand.daemon.api, headers=headers) as session, session.get(
        path, timeout=no_end,
    ) as answer:
        assert answer.status == 200, await answer.text()

        async def read() -> None:
            nonlocal lines
            async for chunk in answer.content.iter_any():
                lines += chunk.count(b"\n")

        async with asyncio.TaskGroup() as group:
            reading = group.create_task(read())
            await asyncio.sleep(SETTLE_SECONDS)
            lines = 0
            cores = await _cores([daemon, docker])
            reading.cancel()
    return cores, lines


async def _by_docker_logs(stand: Stand, docker: int) -> tuple[float, float]:
    names = _names(stand)
    followers = [
        await asyncio.create_subprocess_exec(
            "docker", "logs", "--follow", "--tail", "0", name,
            stdout=asyncio.subprocess.DEVNULL, stderr=asyncio.subprocess.DEVNULL,
        ) for name in names
    ]
    try:
        await asyncio.sleep(SETTLE_SECONDS)
        *theirs, of_docker = await _cores([*(follower.pid for follower in followers), docker])
    finally:
        for follower in followers:
            follower.kill()
            await follower.wait()
    return round(sum(theirs), 4), of_docker


async def _cores(processes: Sequence[int]) -> list[float]:
    """How much of a core each process took meanwhile."""
    before, began = [_ticks(process) for process in processes], time.perf_counter()
    await asyncio.sleep(MEASURED_SECONDS)
    seconds = time.perf_counter() - began
    return [round((_ticks(process) - ticks) / TICKS / seconds, 4)
            for process, ticks in zip(processes, before, strict=True)]


def _ticks(process: int) -> int:
    fields = Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()
    return int(fields[11]) + int(fields[12])


@asynccontextmanager
async def _printing(stand: Stand, rate: float) -> AsyncIterator[None]:
    names = _names(stand)
    of_environment = Names(stand.daemon.instance, EnvironmentId(ProjectId(PROJECT), machine_name("main")))
    try:
        for number, name in enumerate(names):
            labels = of_environment.labels("service", f"printer{number}")
            await run(
                "docker", "run", "--detach", "--name", name, "--network", "none",
                *(f"--label={key}={value}" for key, value in labels.items()),
                "--log-opt", "max-size=10000000", "--log-opt", "max-file=3",
                "deployd/python:3.13", "python3", "-c", PROGRAM, str(rate),
            )
        await asyncio.sleep(SETTLE_SECONDS)
        yield
    finally:
        await run("docker", "rm", "--force", "--volumes", *names, limit_seconds=120, check=False)


def _names(stand: Stand) -> list[str]:
    return [f"{stand.daemon.instance}-printer-{number}" for number in range(CONTAINERS)]
