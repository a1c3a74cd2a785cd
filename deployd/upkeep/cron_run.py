"""One run of a cron: started in the live app container or re-attached to, followed, ended in time, written down.

    prepared ──► started ──► ended ──────────────────► one line in the log, folder gone
                    │          ▲
                    └─ timeout ┴─ stop command or SIGTERM, shutdown_timeout, SIGKILL

The folder of a run lives as long as the run is not written down, so a daemon that comes back finds what went on
meanwhile.
"""

from __future__ import annotations

import asyncio
import json
import os
from collections import deque
from collections.abc import Awaitable, Callable
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

import structlog

from deployd.activity.masking import Masker
from deployd.confined.trees import remove_tree
from deployd.engine.errors import EngineOverran, EngineUnreachable, NotRunning, NotThere
from deployd.engine.script import Script, age_seconds, has_started, is_held, prepare
from deployd.engine.script_runner import ScriptRunner
from deployd.engine.specs import RunAs
from deployd.environment.platform import APP_FOLDER
from deployd.errors import DeployError
from deployd.project.model import Application, Cron
from deployd.release.applications.cron_runs import run_name, safe_name
from deployd.release.applications.environment_file import environment_error
from deployd.release.applications.needed import scripts_of
from deployd.release.applications.start_script import hook_script
from deployd.release.ports import Host
from deployd.release.release import Release

log = structlog.get_logger()

KEPT_LINES = 200
"""Of a run's output: the last ones."""
LOG_BYTES = 1_000_000
"""A log that is longer is set aside as `.1`, in the place of the one before."""
ENGINE_AGAIN_SECONDS = 5.0
LOOK_SECONDS = 0.1
MayStart = Callable[[], Awaitable[bool]]
FOR_EVER = 2.0 * 86_400
"""Longer than any cron may run: the limit is kept here, and not by `follow`."""


class HeldBack(Exception):
    """It may not start any more, since a moment ago; nothing of the run is there."""


@dataclass(frozen=True, slots=True)
class LiveCron:
    """A cron of a version that is live."""

    release: Release
    app: Application
    cron: Cron
    asked_by: str = ""
    """Who wanted a run now; empty: it was due."""

    @property
    def container(self) -> str:
        return self.release.container("app", self.app.name)

    @property
    def user(self) -> str:
        return self.release.user

    @property
    def seed(self) -> str:
        """What `H` is drawn from."""
        return f"{self.release.environment}/{self.app.name}/{self.cron.name}"

    def scripts(self, host: Host) -> Path:
        return scripts_of(self.release, host, self.app.name)

    def runner(self, host: Host) -> ScriptRunner:
        return ScriptRunner(host.engine, self.container, self.user)

    def log_file(self, host: Host) -> Path:
        return host.places.crons(self.release.environment) / log_name(self.app.name, self.cron.name)


def log_name(app: str, cron: str) -> str:
    """Of the file in which the runs of a cron are written down."""
    return f"{app}-{safe_name(cron)}.log"


@dataclass(frozen=True, slots=True)
class Ended:
    """How a run ended."""

    state: str
    """`success`, `failed`, `overran`, `lost` (with its container, mostly), `not_started`."""
    status: int | None
    said: str = ""


async def run_cron(
    live: LiveCron, due: datetime, host: Host, masker: Masker, starts: asyncio.Semaphore, may_start: MayStart,
) -> Ended:
    """Run a cron to its end, or re-attach to a run that was started before; it is written down when this returns.

    Args:
        starts: Held while the run is started.
        may_start: Asked when the run can be seen by who waits for crons, and is not started yet.

    Raises:
        HeldBack: It may not.
    """
    cron = live.cron
    lines: deque[str] = deque(maxlen=KEPT_LINES)
    bound = log.bind(project=live.release.project.id, environment=live.release.environment.name, app=live.app.name,
                     cron=cron.name)
    try:
        async with starts:
            script = await asyncio.to_thread(
                prepare, live.scripts(host), run_name(cron.name, due), hook_script(cron.start),
                group=live.release.version.uid,
            )
            again = await asyncio.to_thread(has_started, script)
            if not again and not await may_start():
                await remove_tree(script.folder)
                raise HeldBack
            await live.runner(host).start_or_attach(script, working_folder=APP_FOLDER)
        bound.info("cron_found_again" if again else "cron_started", due=due.isoformat())
        ended = await _until_ended(live, script, host, lines)
    except (NotThere, NotRunning) as error:
        ended = Ended("not_started", None, error.what)
    seconds = await asyncio.to_thread(age_seconds, script)
    level = bound.info if ended.state == "success" else bound.warning
    level("cron_ended", state=ended.state, status=ended.status, seconds=round(seconds, 2), what=ended.said or None)
    record = {
        "due": due.isoformat(), "ended": host.clock.now().isoformat(), "seconds": round(seconds, 2),
        "state": ended.state, "status": ended.status, "said": masker.clean(ended.said), "version": live.release.id,
        "app": live.app.name, "cron": cron.name, "who": live.asked_by,
        "output": [masker.clean(line) for line in lines],
    }
    await asyncio.to_thread(_write_down, live.log_file(host), record)
    await remove_tree(script.folder)
    return ended


async def _until_ended(live: LiveCron, script: Script, host: Host, lines: deque[str]) -> Ended:
    overran = False

    async def end_in_time() -> None:
        nonlocal overran
        await asyncio.sleep(live.cron.timeout_seconds - await asyncio.to_thread(age_seconds, script))
        overran = True
        await _end(live, script, host)

    async with asyncio.TaskGroup() as group:
        ending = group.create_task(end_in_time(), name="cron timeout")
        try:
            status = await _follow(live, script, host, lines)
            said = f"its timeout of {live.cron.timeout_seconds} s was over" if overran else ""
            if status != 0 and (failed := environment_error(lines, live.app.root, f"the cron {live.cron.name}")):
                said = f"{failed.what} ({failed.where}): {' | '.join(failed.evidence)}"
            ended = Ended("overran" if overran else "success" if status == 0 else "failed", status, said)
        except DeployError as error:   # ScriptLost, as a rule
            ended = Ended("lost", None, error.what)
        ending.cancel()
    return ended


async def _follow(live: LiveCron, script: Script, host: Host, lines: deque[str]) -> int:
    while True:
        try:
            return await live.runner(host).follow(script, lines.append, limit_seconds=FOR_EVER)
        except (EngineUnreachable, EngineOverran):   # the run goes on without Docker's daemon
            await asyncio.sleep(ENGINE_AGAIN_SECONDS)
            lines.clear()


async def _end(live: LiveCron, script: Script, host: Host) -> None:
    """The stop command, or SIGTERM; what is still there after shutdown_timeout is killed."""
    cron, patience = live.cron, float(live.cron.shutdown_timeout_seconds)
    with suppress(DeployError):   # follow tells how it ended, whatever happens here
        if cron.stop is None:
            await live.runner(host).end(script.folder, grace_seconds=patience)
            return
        with suppress(TimeoutError):
            async with asyncio.timeout(patience):
                with suppress(DeployError):
                    await host.engine.execute(
                        live.container, ("/bin/sh", "-c", hook_script(cron.stop)),
                        RunAs(live.user, working_folder=APP_FOLDER), limit_seconds=max(patience, 1.0),
                    )
                while await asyncio.to_thread(is_held, script):   # noqa: ASYNC110  the kernel tells nobody
                    await asyncio.sleep(LOOK_SECONDS)
        await live.runner(host).end(script.folder, signals=("KILL",))


def _write_down(file: Path, record: dict[str, Any]) -> None:
    """Durable before the folder of the run goes: else a crash between the two would lose it."""
    if not file.parent.parent.is_dir():   # the environment was deleted meanwhile
        return
    file.parent.mkdir(exist_ok=True)
    with suppress(FileNotFoundError):
        if file.stat().st_size > LOG_BYTES:
            file.rename(file.with_name(file.name + ".1"))
    with file.open("a") as lines:
        lines.write(json.dumps(record, ensure_ascii=False) + "\n")
        lines.flush()
        os.fsync(lines.fileno())
