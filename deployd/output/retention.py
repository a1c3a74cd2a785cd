"""Before a container is removed, what it printed is kept: a second name for Docker's own files, which costs nothing.

Bounded in bytes and in days for each environment: the oldest goes first. What cannot be kept keeps no container from
being removed.
"""

from __future__ import annotations

import asyncio
import shutil
import time
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import structlog

from deployd.engine.engine import Engine
from deployd.engine.observed import ContainerSeen
from deployd.output.files import OLDER, TRIES
from deployd.output.sources import ABOUT, LOG, Source, source_of, write_about

log = structlog.get_logger()

DAY_SECONDS = 86_400.0
MOST_CONTAINERS = 100
"""Of one environment: a version that fails at each push leaves some every time."""


@dataclass(frozen=True, slots=True)
class Retention:
    """Of one environment."""

    most_bytes: int
    days: float


@dataclass(frozen=True, slots=True)
class _Kept:
    """One file of a container that went."""

    file: Path
    at: float
    size_bytes: int


async def keep_output(engine: Engine, container: ContainerSeen, folder: Path, bounds: Retention) -> None:
    """Keep what a container that is about to be removed has printed. May be repeated.

    Args:
        folder: Of its environment's kept output.
    """
    source = source_of(container, await engine.log_file(container.id))
    if source is None or not bounds.most_bytes:
        return
    try:
        await asyncio.to_thread(_keep, source, folder, bounds)
    except OSError as error:
        log.warning("output_not_kept", container=container.name, why=error.strerror or str(error))


def _keep(source: Source, folder: Path, bounds: Retention) -> None:
    there = [(end, file) for end in OLDER if _size(file := source.log.with_name(source.log.name + end))]
    if not there:   # it never printed anything
        return
    kept = folder / source.id[:12]
    for end, file in there:
        with suppress(FileExistsError):
            _link(file, kept / (LOG + end), bounds.most_bytes)
    unfinished = kept / f"{ABOUT}.new"
    unfinished.write_bytes(write_about(source))
    unfinished.rename(kept / ABOUT)
    trim(folder, bounds, time.time())


def _link(file: Path, to: Path, most_bytes: int) -> None:
    for _ in range(TRIES):
        try:
            to.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
            to.hardlink_to(file)
            return
        except FileNotFoundError:   # `trim`, for a container that goes too, met the folder while it was empty
            continue
        except FileExistsError:
            raise
        except OSError:   # another file system, or one without second names
            break
    if _size(file) <= most_bytes:
        shutil.copyfile(file, to)


def _size(file: Path) -> int:
    try:
        return file.stat().st_size
    except FileNotFoundError:
        return 0


def trim(folder: Path, bounds: Retention, now: float) -> None:
    """Take away what is too old or too much, the oldest first. Blocking."""
    files = sorted((item for kept in folder.glob("*") for item in _files(kept)), key=lambda item: -item.at)
    room, containers = bounds.most_bytes, set()
    for item in files:   # the youngest first
        room -= item.size_bytes
        containers.add(item.file.parent)
        if room < 0 or item.at < now - bounds.days * DAY_SECONDS or len(containers) > MOST_CONTAINERS:
            item.file.unlink(missing_ok=True)
    for kept in folder.glob("*"):
        if not any(_size(kept / (LOG + end)) for end in OLDER):
            (kept / ABOUT).unlink(missing_ok=True)
            (kept / f"{ABOUT}.new").unlink(missing_ok=True)
            with suppress(OSError):
                kept.rmdir()
    with suppress(OSError):
        folder.rmdir()   # only when it is empty


def _files(kept: Path) -> list[_Kept]:
    found = []
    for end in OLDER:
        with suppress(FileNotFoundError):
            about = (file := kept / (LOG + end)).stat()
            found.append(_Kept(file, about.st_mtime, about.st_size))
    return found
