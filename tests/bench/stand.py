"""A daemon of its own for a benchmark, the small application, and the same work done by hand."""

from __future__ import annotations

import asyncio
import shutil
import tempfile
import time
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import aiohttp

from deployd.process import run
from scripts.git_push import Pushed
from scripts.load import VERSION_HEADER, LoopbackOnly
from scripts.local_daemon import LocalDaemon
from scripts.removal import left_behind, remove_all
from scripts.repository import commit, make_repository

HERE = Path(__file__).parent
LIMIT_SECONDS = 120.0


@dataclass(frozen=True)
class Stand:
    daemon: LocalDaemon
    folder: Path

    async def repository(self, name: str) -> Path:
        """A working tree of the small application."""
        folder = self.folder / name
        await make_repository(folder, HERE / "small")
        return folder

    async def new_version(self, repository: Path, version: str) -> None:
        (repository / "VERSION").write_text(f"{version}\n")
        await commit(repository, f"Version {version}", allow_empty=True)

    async def push(self, repository: Path, project: str, branch: str = "main") -> Pushed:
        """Push, quietly.

        Raises:
            AssertionError: It was not deployed; with what the pusher saw.
        """
        pushed = await self.daemon.push(repository, project, branch=branch, on_line=lambda _: None)
        assert pushed.deployed, "\n".join(pushed.lines)
        return pushed

    async def wait_until_served(self, project: str, version: str, branch: str = "main") -> float:
        """Ask the router until a version answers. Returns the moment (`time.perf_counter`)."""
        connector = aiohttp.TCPConnector(resolver=LoopbackOnly())
        async with aiohttp.ClientSession(connector=connector) as session, asyncio.timeout(LIMIT_SECONDS):
            while True:
                async with session.get(self.daemon.url(project, branch)) as answer:
                    if answer.status == 200 and answer.headers.get(VERSION_HEADER) == version:
                        return time.perf_counter()
                await asyncio.sleep(0.02)   # as often as the script beside us asks

    async def push_and_wait(self, repository: Path, project: str, version: str) -> tuple[float, float]:
        """(seconds until the page is served, seconds until git has ended)"""
        began = time.perf_counter()
        async with asyncio.TaskGroup() as group:
            served = group.create_task(self.wait_until_served(project, version))
            pushed = group.create_task(self.push(repository, project))
        return served.result() - began, pushed.result().seconds

    async def containers_made(self, role: str, since: float) -> int:
        """How many containers of a role were created since then (`time.time`)."""
        output = await run(
            "docker", "events", "--since", f"{since:.3f}", "--until", f"{time.time():.3f}", "--filter", "event=create",
            "--filter", f"label=deployd={self.daemon.instance}", "--filter", f"label=deployd.role={role}",
            "--format", "{{.ID}}",
        )
        return len(output.text.split())


@asynccontextmanager
async def bench_stand(
    *names: str, projects: Mapping[str, Mapping[str, Any]] | None = None, settings: Mapping[str, Any] | None = None,
) -> AsyncIterator[Stand]:
    """A running daemon with these projects; nothing of it is left afterwards.

    Args:
        projects: More of them, with their settings.
        settings: Keys of deployd.yaml.
    """
    folder = Path(tempfile.mkdtemp(prefix="deployd-bench-", dir="/var/tmp"))
    daemon = LocalDaemon(folder / "d", {**{name: {} for name in names}, **(projects or {})}, settings=settings or {})
    try:
        await daemon.start()
        yield Stand(daemon, folder)
    finally:
        await daemon.stop()
        await remove_all(daemon.instance, daemon.directory)
        left = await left_behind(daemon.instance, daemon.directory)
        shutil.rmtree(folder, ignore_errors=True)
        assert not left, left


async def by_hand(repository: Path, number: int) -> tuple[float, float]:
    """The shell script beside us. Returns (seconds until the page is served, those from the first `docker run` on)."""
    name = f"deployd-bench-{number}"
    with tempfile.TemporaryDirectory(prefix="deployd-bench-", dir="/var/tmp") as folder:
        try:
            output = await run(str(HERE / "by_hand.sh"), str(repository), folder, name, limit_seconds=LIMIT_SECONDS)
        finally:
            for part in ("build", "app", "web"):
                await run("docker", "rm", "--force", f"{name}-{part}", check=False)
            await run("docker", "network", "rm", name, check=False)
            await run("docker", "volume", "rm", "--force", name, check=False)
            await run("umount", f"{folder}/mount", check=False)
    total, start = output.text.split()
    return float(total), float(start)
