"""The mounts that a deploy hook writes into, as they were before it: kept beside the databases, and put back with them.

By a program of its own (`confined/trees_program.py`), which is started before visitors wait for it, keeps each mount
whole or not at all, and takes ten seconds at most. What it leaves out is told.
"""

from __future__ import annotations

import asyncio
import json
import os
import sys
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, ClassVar

from pydantic import BaseModel

from deployd.activity.log import Tell
from deployd.confined.trash import move_to_trash
from deployd.errors import DeployError
from deployd.process import Process, open_process, run
from deployd.project.model import ProjectConfig
from deployd.release.ports import Host
from deployd.release.release import Release
from deployd.units import MEGABYTE

PROGRAM = (sys.executable, "-I", "-m", "deployd.confined.trees_program")
FOLDER = ".mounts"
"""In a snapshot; no service is called so."""
REQUEST = "put-back.json"
KEEP_SECONDS, WRITE_SECONDS = 10.0, 10.0
"""To copy, and to have it on the disk: visitors wait."""
BACK_SECONDS = 1_500.0


class MountsNotPutBack(DeployError):
    """The files in mounts are not what they were before the deploy hook."""

    code: ClassVar[str] = "mounts-not-put-back"


class Told(BaseModel):
    """What the program says of a mount."""

    folder: str
    number: int = 0
    files: int = 0
    size_bytes: int = 0
    left_out: str = ""


class Keeping:
    """The program, which has looked at the mounts and waits for its word."""

    def __init__(self, program: Process | None, tell: Tell) -> None:
        self._program = program
        self._tell = tell

    async def keep(self) -> tuple[tuple[int, str], ...]:
        """Keep them as they are now; visitors wait.

        Returns:
            (number, folder) of each that is kept.
        """
        if self._program is None:
            return ()
        self._program.stdin.write(b"go\n")
        told: list[Told] = []
        try:
            async with asyncio.timeout(KEEP_SECONDS + WRITE_SECONDS):
                while line := await self._program.stdout.readline():
                    told.append(Told.model_validate_json(line))
                failed = await self._program.wait() != 0
        except TimeoutError:
            failed = True
        if failed:
            self._tell.warn("mounts are not in the snapshot: the program that copies them has failed, or was too slow")
            return ()
        for mount in told:
            if mount.left_out:
                self._tell.warn(f"the mount {mount.folder} is not in the snapshot: {mount.left_out}")
        return tuple((mount.number, mount.folder) for mount in told if not mount.left_out)


def folders_of(config: ProjectConfig) -> tuple[str, ...]:
    """Folders below the environment's data that deploy hooks can write into and that outlive a deployment."""
    found = {
        (f"shared/{mount.service}" if mount.service else app.name) + f"/{mount.source_path}".rstrip("/")
        for app in config.applications if app.hooks.deploy is not None
        for mount in app.web.instance.mounts if mount.source != "tmp"
    }
    return tuple(sorted(folder for folder in found if not any(parent in found for parent in _parents(folder))))


@asynccontextmanager
async def open_keeping(
    release: Release, host: Host, tell: Tell, folders: Sequence[str], snapshot: Path,
) -> AsyncIterator[Keeping]:
    """Have the program look at the mounts. It ends with whoever waits for it, or when it is left."""
    if not folders or not host.settings.snapshot_mounts_mb:
        if folders:
            tell.line("mounts are not in the snapshot: snapshot_mounts_mb is 0")
        yield Keeping(None, tell)
        return
    async with open_process(*PROGRAM) as program:
        _ask(program, {
            "do": "keep", "root": str(host.places.data(release.environment)),
            "folders": folders, "to": str(snapshot / FOLDER), "seconds": KEEP_SECONDS,
            "size_bytes": host.settings.snapshot_mounts_mb * MEGABYTE,
            "keep_free_bytes": host.settings.min_free_disk_mb * MEGABYTE,
        })
        yield Keeping(program, tell)


def write_request(release: Release, host: Host, kept: Sequence[tuple[int, str]], snapshot: Path) -> None:
    """How to put the mounts back, for the program and for a person who starts it; on the disk. Blocking."""
    request = json.dumps({
        "do": "put back", "root": str(host.places.data(release.environment)),
        "from": str(snapshot / FOLDER), "folders": kept, "owner": release.version.uid,
        # Goes with the version, when visitors wait no longer.
        "aside": str(host.places.version(release.environment, release.id) / "aside"),
    })
    with (snapshot / FOLDER / REQUEST).open("w", encoding="utf-8") as file:
        file.write(request)
        file.flush()
        os.fsync(file.fileno())


async def put_mounts_back(snapshot: Path) -> int:
    """Make the mounts what they were. May be done again.

    Returns:
        How many files were put back or taken away.

    Raises:
        MountsNotPutBack: Not all of it could be.
    """
    ended = await run(*by_hand_command(snapshot), limit_seconds=BACK_SECONDS, check=False)
    if ended.status != 0:
        raise MountsNotPutBack(f"putting mounts back ended with exit status {ended.status}",
                               evidence=ended.last_lines(5))
    return int(json.loads(ended.stdout.splitlines()[-1])["changed"])


def by_hand_command(snapshot: Path) -> tuple[str, ...]:
    """The command by which the mounts are put back."""
    return (*PROGRAM, str(snapshot / FOLDER / REQUEST))


def _ask(program: Process, request: dict[str, Any]) -> None:
    program.stdin.write(json.dumps(request).encode() + b"\n")


def _parents(folder: str) -> Iterator[str]:
    parts = folder.split("/")
    return ("/".join(parts[:count]) for count in range(1, len(parts)))


async def remove_snapshot(release: Release, host: Host) -> None:
    """Let go of the snapshot that a deployment took; none is fine."""
    folder = host.places.snapshot(release.environment, release.id)
    await move_to_trash(folder, host.places.going)
