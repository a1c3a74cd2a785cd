"""A daemon that knows a thousand live environments: how soon it is ready again, its memory, and how fast /status is."""

from __future__ import annotations

import asyncio
import shutil
import statistics
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import aiohttp

from deployd.ids import ProjectId
from deployd.process import run
from deployd.settings import load_settings
from scripts.local_daemon import ROOT, LocalDaemon
from scripts.removal import left_behind, remove_all
from tests.bench.many_environments import fill
from tests.bench.more_containers import docker_with
from tests.support.outcome import Outcome, median

PROJECTS, BRANCHES = 10, 100
RESTARTS = 3
READY_SECONDS, MEMORY_MB, STATUS_SECONDS = 5.0, 150.0, 0.020
POLLED_SECONDS = 75.0
"""Longer than the watch's sweep and the crons' reading take to come round."""
PAUSE_SECONDS = 0.02
FIRST_START_SECONDS = 300.0


async def measure(say: Callable[[str], None]) -> Outcome:
    projects = [ProjectId(f"p{number}") for number in range(PROJECTS)]
    folder = Path(tempfile.mkdtemp(prefix="deployd-bench-", dir="/var/tmp"))
    socket = folder / "docker.sock"
    daemon = LocalDaemon(folder / "d", {name: {} for name in projects}, settings={"docker_socket": str(socket)})
    try:
        daemon.write_settings()
        settings = load_settings(daemon.settings_file)
        made = await fill(settings.state, daemon.instance, projects, BRANCHES)
        say(f"{PROJECTS * BRANCHES} environments written, {len(made)} containers made up")
        async with docker_with(made, socket):
            first = await daemon.start(FIRST_START_SECONDS)
            say(f"started for the first time in {first:.1f} s: everything mounted, the router told everything")
            ready = []
            for _ in range(RESTARTS):
                await daemon.stop()
                ready.append(await daemon.start(FIRST_START_SECONDS))
                say(f"ready again after {ready[-1]:.2f} s")
            bare = await _polled(daemon, POLLED_SECONDS, with_token=False)
            known = await _polled(daemon, POLLED_SECONDS / 5, with_token=True)
            memory = _memory_mb(daemon)
            listed = await _environments_seconds(settings.api_socket)
            health = await _reasons(daemon)
    finally:
        await daemon.stop()
        await remove_all(daemon.instance, daemon.directory)
        left = await left_behind(daemon.instance, daemon.directory)
        shutil.rmtree(folder, ignore_errors=True)
        assert not left, left
    assert not health, health
    p99 = _p99(bare)
    figures = {
        "ready_again_seconds": median(ready), "first_start_seconds": round(first, 2), "memory_mb": round(memory, 1),
        "status_p50_seconds": median(bare, 4), "status_p99_seconds": round(p99, 4),
        "status_slowest_seconds": round(max(bare), 4),
        "status_with_environments_p99_seconds": round(_p99(known), 4), "cli_environments_seconds": round(listed, 2),
    }
    met = median(ready) <= READY_SECONDS and memory <= MEMORY_MB and p99 <= STATUS_SECONDS
    return Outcome(
        "idle", figures, {}, None,
        f"ready again within {READY_SECONDS:g} s, at most {MEMORY_MB:g} MB, /status p99 at most 20 ms", met,
        (f"{PROJECTS * BRANCHES} live environments; {len(bare)} questions to /status, 20 ms apart,"
         " beside watch, crons and the look for lost pushes",
         "the containers are made up, and so Docker's own time for lists of 2,000 is not in it;"
         " state, repositories, slugs, mounts and router are real",
         "memory is the daemon's resident set after all crons have been read"),
    )


async def _polled(daemon: LocalDaemon, seconds: float, *, with_token: bool) -> list[float]:
    taken = []
    headers = {"Authorization": f"Bearer {daemon.token}"} if with_token else {}
    async with aiohttp.ClientSession(daemon.api, headers=headers) as session:
        until = time.monotonic() + seconds
        while time.monotonic() < until:
            began = time.perf_counter()
            async with session.get("/status") as answer:
                assert answer.status == 200
                await answer.read()
            taken.append(time.perf_counter() - began)
            await asyncio.sleep(PAUSE_SECONDS)
    return taken


async def _reasons(daemon: LocalDaemon) -> list[str]:
    """What is not as it should be; else something was measured that nobody wants."""
    async with daemon.session() as session, session.get("/status") as answer:
        shown = await answer.json()
    assert len(shown["environments"]) == PROJECTS * BRANCHES
    return list(shown["reasons"])


def _memory_mb(daemon: LocalDaemon) -> float:
    text = Path(f"/proc/{daemon.running()}/status").read_text()
    return float(next(line.split()[1] for line in text.splitlines() if line.startswith("VmRSS:"))) / 1000


async def _environments_seconds(socket: Path) -> float:
    began = time.perf_counter()
    output = await run(sys.executable, "-m", "deployd", "environments", "--socket", str(socket), cwd=ROOT)
    assert output.text.count("branch-") >= PROJECTS * BRANCHES
    return time.perf_counter() - began


def _p99(values: list[float]) -> float:
    return statistics.quantiles(values, n=100)[98]
