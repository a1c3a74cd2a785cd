"""Where the runs of crons are, and waiting for them: a running cron holds a deployment back, for a while.

A run is a script in the app container, in a folder of its own among the hooks' (`engine/script.py`); whether it still
runs is asked of the kernel. Who starts runs is `upkeep/crons.py`; here is only what a deployment has to know of them.
"""

from __future__ import annotations

import asyncio
import hashlib
import re
import time
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path

from deployd.activity.log import Tell
from deployd.engine.script import Script, has_started, is_held
from deployd.release.ports import Host
from deployd.release.release import Release

PREFIX = "cron-"
MOMENT = "%Y%m%dT%H%M%SZ"
WAIT_SECONDS = 60.0
"""A deployment waits no longer; then the run ends with the version that it belongs to."""
LOOK_SECONDS = 0.5
STARTING_SECONDS = 30.0
"""A run that is laid out and not started after this time was left so by a daemon that ended."""


def safe_name(cron: str) -> str:
    """The name of a cron as it may stand in a path; different crons stay different."""
    cleaned = re.sub(r"[^A-Za-z0-9_-]+", "-", cron)[:40]
    return cleaned if cleaned == cron else f"{cleaned}-{hashlib.sha256(cron.encode()).hexdigest()[:6]}"


def run_name(cron: str, due: datetime) -> str:
    """Folder of a run: `cron-<name>-<when it was due>`."""
    return f"{PREFIX}{safe_name(cron)}-{due.astimezone(UTC):{MOMENT}}"


def read_runs(scripts: Path, cron: str = "") -> list[tuple[Script, datetime]]:
    """Runs whose folders are there, with the moments at which they were due, oldest first.

    Args:
        scripts: The folder of an application's scripts, of one version.
        cron: Only of this one; "" is of all.
    """
    found = []
    for folder in scripts.glob(f"{PREFIX}*"):
        name, _, moment = folder.name.removeprefix(PREFIX).rpartition("-")
        if not cron or name == safe_name(cron):
            try:
                found.append((Script(folder), datetime.strptime(moment, MOMENT).replace(tzinfo=UTC)))
            except ValueError:   # no folder of a run
                continue
    return sorted(found, key=lambda run: run[1])


async def wait_for_crons(before: Release | None, host: Host, tell: Tell, limit_seconds: float = WAIT_SECONDS) -> None:
    """Let the crons of the version that is live run to their end; no new ones start from here to the switch."""
    if before is None:
        return
    folders = [
        host.places.instance(before.environment, before.home(app.name), app.name) / "scripts"
        for app in before.version.apps
    ]
    running = await asyncio.to_thread(_running, folders)
    if not running:
        return
    tell.line(f"waits for {', '.join(running)} to end, {limit_seconds:.0f} s at most")
    try:
        async with asyncio.timeout(limit_seconds):
            while running := await asyncio.to_thread(_running, folders):   # noqa: ASYNC110  the kernel tells nobody
                await asyncio.sleep(LOOK_SECONDS)
    except TimeoutError:
        tell.warn(f"{', '.join(running)} still runs and will end with the version that it belongs to")


def _running(folders: list[Path]) -> list[str]:
    runs = [script for folder in folders for script, _ in read_runs(folder)]
    return [script.name.rpartition("-")[0] for script in runs if is_held(script) or _is_starting(script)]


def _is_starting(script: Script) -> bool:
    with suppress(FileNotFoundError):
        return time.time() - script.folder.lstat().st_mtime < STARTING_SECONDS and not has_started(script)
    return False
