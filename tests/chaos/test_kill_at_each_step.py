"""SIGKILL of the daemon at each step of a push, in order: a new daemon brings it to its end, and nothing runs twice.

The moment is read in the journal: the daemon is killed as soon as it has written that a step was started. A visitor
asks all the time and sees the old page or the new one, and nothing else.
"""

from __future__ import annotations

import asyncio
import os
import signal
import sqlite3
import tempfile
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, closing
from pathlib import Path

import pytest

from deployd.deployment.steps import PUSH
from scripts.local_daemon import LocalDaemon
from scripts.removal import left_behind, mounts_below, remove_all
from scripts.repository import make_repository
from tests.e2e.conftest import SERVER, Developer

pytestmark = pytest.mark.slow

STEPS = [step.name for step in PUSH.steps]
LIMIT_SECONDS = 60.0
APP = """\
name: app
type: python:3.13
web:
  commands:
    start: python3 server.py
mounts:
  data:
    source: local
    source_path: data
hooks:
  build: |
    echo "$(cat text)" >> "$PLATFORM_CACHE_DIR/builds"
    sleep 0.3
    cat text > built
  deploy: |
    echo deploy "$(cat built)" >> data/ran
    sleep 0.3
  post_deploy: |
    echo post "$(cat built)" >> data/ran
    sleep 0.3
"""


@pytest.fixture
async def me(tmp_path: Path) -> AsyncIterator[Developer]:
    """A developer with a daemon of their own, whose first version is live."""
    directory = Path(tempfile.mkdtemp(prefix="deployd-kill-"))
    daemon = LocalDaemon(directory, {"kill": {}}, instance=f"test-kill-{os.urandom(3).hex()}",
                         settings={"answer_seconds": 8})
    source = tmp_path / "source"
    source.mkdir()
    server = SERVER.replace("/app/text", "/app/built")
    for name, text in {".platform.app.yaml": APP, "text": "0", "server.py": server}.items():
        (source / name).write_text(text)
    await make_repository(tmp_path / "tree", source)
    developer = Developer(daemon, tmp_path / "tree", "kill")
    try:
        await daemon.start(limit_seconds=300)
        assert (await developer.push()).deployed
        yield developer
    finally:
        await daemon.stop()
        await remove_all(daemon.instance, directory)
    assert await left_behind(daemon.instance, directory) == []


async def test_a_push_ends_well_whichever_step_the_daemon_is_killed_in(me: Developer) -> None:
    var = me.daemon.directory / "var"
    state = next(var.rglob("state.db"))
    for number, step in enumerate(STEPS, start=1):
        activity = number + 1
        await me.write({"text": str(number)})
        pushed = await me.daemon.push(me.folder, "kill", on_line=lambda _: None, options=("no-wait",))
        assert pushed.status == 0, pushed.lines
        await _kill_when_started(me.daemon, state, activity, step)
        async with _visitor(me) as seen:
            await me.daemon.start()
            assert await _end(state, activity) == ("success", ""), (step, me.daemon.log_tail(40))
        assert {*seen} <= {(200, f"{number - 1} on main"), (200, f"{number} on main")}, step
        assert await me.page() == (200, f"{number} on main"), step
        ran = next(var.rglob("data/ran")).read_text().splitlines()
        assert ran == [f"{hook} {n}" for n in range(number + 1) for hook in ("deploy", "post")], step
        builds = next(var.rglob("builds")).read_text().splitlines()
        assert builds == [str(n) for n in range(number + 1)], step
        assert len(mounts_below(me.daemon.directory)) == 1, step
        assert list(var.glob("**/work/*")) == [], step


@asynccontextmanager
async def _visitor(me: Developer) -> AsyncIterator[list[tuple[int, str]]]:
    """Asks for the page again and again; gives the answers."""
    seen: list[tuple[int, str]] = []

    async def ask() -> None:
        while not enough.is_set():
            seen.append(await me.page())
            await asyncio.sleep(0.05)

    enough = asyncio.Event()
    async with asyncio.TaskGroup() as group:
        group.create_task(ask(), name="visitor")
        yield seen
        enough.set()


async def _kill_when_started(daemon: LocalDaemon, state: Path, activity: int, step: str) -> None:
    began = time.monotonic()
    with closing(sqlite3.connect(f"file:{state}?mode=ro", uri=True)) as db:
        while db.execute("SELECT 1 FROM journal WHERE activity = ? AND step = ? AND event = 'started'",
                         (activity, step)).fetchone() is None:
            assert time.monotonic() - began < LIMIT_SECONDS, (step, daemon.log_tail())
            await asyncio.sleep(0.002)
    pid = daemon.running()
    assert pid is not None
    os.kill(pid, signal.SIGKILL)
    while daemon.running() is not None:
        await asyncio.sleep(0.005)


async def _end(state: Path, activity: int) -> tuple[str, str]:
    began = time.monotonic()
    with closing(sqlite3.connect(f"file:{state}?mode=ro", uri=True)) as db:
        while time.monotonic() - began < LIMIT_SECONDS:
            found = db.execute("SELECT state, reason FROM activities WHERE id = ?", (activity,)).fetchone()
            if found[0] not in ("pending", "in_progress"):
                return (found[0], found[1])
            await asyncio.sleep(0.05)
    return ("still open", "")
