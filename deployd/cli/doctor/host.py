"""The host itself: who we are, what starts the daemon, where its files go, room on the disk, the clock."""

from __future__ import annotations

import ctypes
import os
import shutil
from datetime import UTC, datetime
from pathlib import Path

from deployd.cli.doctor.finding import Finding, doubt, well, wrong
from deployd.router.paths import LONGEST_SOCKET_PATH, RouterPlaces
from deployd.settings import Settings
from deployd.units import MEGABYTE

COMFORT = 4
"""Times the space that has to stay free; with less, the next builds may be refused."""
SYSTEMD = Path("/run/systemd/system")
UNSYNCHRONISED = 5
"""TIME_ERROR of adjtimex(2)."""
TIMEX_BYTES = 512
"""More than `struct timex` has on any machine; all zero means: change nothing."""


def look_at_user(user: int) -> Finding:
    """Mounting slugs, giving files to other users and ports below 1024 need root."""
    if user == 0:
        return well("user", "root")
    return wrong("user", f"this is user {user}: only root can mount slugs", "run it as root, or by sudo")


def look_at_systemd(folder: Path = SYSTEMD) -> Finding:
    if folder.is_dir():
        return well("systemd", "runs here")
    return doubt("systemd", "does not run here: nothing starts the daemon again when it ends, or after a reboot",
                 "have `deployd serve` started and kept alive by what you use instead")


def look_at_clock() -> Finding:
    """The kernel knows whether somebody keeps its clock in step."""
    now = datetime.now(UTC).strftime("%Y-%m-%d %H:%M UTC")
    if ctypes.CDLL(None).adjtimex(ctypes.create_string_buffer(TIMEX_BYTES)) == UNSYNCHRONISED:
        return doubt("clock", f"{now}; nobody keeps it in step", "install chrony or systemd-timesyncd")
    return well("clock", f"{now}, kept in step")


def look_at_folders(settings: Settings) -> list[Finding]:
    """Where the daemon writes, and whether the paths of its sockets are short enough for the kernel."""
    found = []
    longest = max(len(os.fsencode(path)) for path in (settings.api_socket, RouterPlaces(settings.run).earlier))
    if longest > LONGEST_SOCKET_PATH:
        found.append(wrong("folders", f"sockets below {settings.run} would have paths of {longest} bytes, and the "
                           f"kernel takes {LONGEST_SOCKET_PATH}", "choose a shorter folder for `run`"))
    for folder in (settings.state, settings.run):
        there = nearest(folder)
        why = "" if there.is_dir() else f"{there} is in the way"
        if not why and not os.access(there, os.W_OK | os.X_OK):
            why = f"{there} is not ours to write"
        if why:
            found.append(wrong("folders", f"{folder} cannot be made or written: {why}",
                               "run it as the user who owns it, or choose another with `state`, `run` or `directory`"))
    return found or [well("folders", f"{settings.state}, {settings.run}")]


def look_at_disk(settings: Settings, docker: Path | None) -> list[Finding]:
    """Room where slugs lie, and where Docker's images lie when that is another disk."""
    state = nearest(settings.state)
    places = [state]
    if docker is not None and docker.exists() and docker.stat().st_dev != state.stat().st_dev:
        places.append(docker)
    return [judge_room(place, shutil.disk_usage(place).free, settings.min_free_disk_mb) for place in places]


def judge_room(place: Path, free_bytes: int, needed_mb: int) -> Finding:
    free = free_bytes // MEGABYTE
    says = f"{free:,} MB free at {place}"
    if free < needed_mb:
        return wrong("disk", f"{says}; without {needed_mb:,} MB no build begins", "make room, or add a disk")
    if free < needed_mb * COMFORT:
        return doubt("disk", f"{says}; without {needed_mb:,} MB no build begins", "make room before it comes to that")
    return well("disk", says)


def nearest(path: Path) -> Path:
    """The path, or what of it is there already."""
    return next(item for item in (path, *path.parents) if item.exists())
