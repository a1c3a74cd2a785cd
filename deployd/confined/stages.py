"""Folders of tenants as Docker gets them: mounted on a path of root's, with the folder itself and not its path.

Docker resolves the source of a mount at every start of a container, also at one that nobody asked us about. A tenant
who moves his folder away and puts a link in its place would choose what is mounted then. So each folder is opened by
descriptor once, and that descriptor is bound to a place below a folder of root's:

    <stages>/<version's folder>/<number>   ── bind ──►   the folder that was opened, wherever it is moved

As with slugs, the kernel is asked what is mounted, and nothing is remembered. Unmounting leaves containers what they
have.
"""

from __future__ import annotations

import asyncio
import ctypes
import os
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

from deployd.confined.beneath import NotBeneath, open_folder
from deployd.confined.mountinfo import Mounted, read_mounts
from deployd.errors import DeployError

MS_NOSUID, MS_NODEV, MS_REMOUNT, MS_BIND = 2, 4, 32, 4096
MNT_DETACH, UMOUNT_NOFOLLOW = 2, 8
"""<sys/mount.h>, the same on every architecture."""
LONGEST_BYTES = 8_192
"""Of the path of a folder, as the kernel's list of mounts tells it. Twice PATH_MAX, because it escapes some letters."""
_libc = ctypes.CDLL(None, use_errno=True)


class NotStaged(DeployError):
    """A folder could not be mounted where Docker finds it."""

    code: ClassVar[str] = "not-staged"


@dataclass(frozen=True, slots=True)
class Folder:
    """A folder of a tenant."""

    root: Path
    """Of root's, in a path of root's."""
    below: str
    """Where it is below that, as the project says it."""
    holds: tuple[str, ...] = ()
    """Folders within it on which others are mounted. Docker cannot make them where the outer one is read-only."""


async def ensure_staged(stage: Path, folders: Sequence[Folder], owner: int) -> tuple[Path, ...]:
    """Have each folder, and have it mounted at `stage/<its number>`. One caller at a time for each stage.

    Args:
        owner: Number of the user that folders which are made belong to.

    Returns:
        Where they are, in the same order.

    Raises:
        NotBeneath: The path of a folder leads through a link or a file; its `number` says of which.
        NotStaged: The kernel refused.
    """
    return await asyncio.to_thread(_ensure_staged, stage, folders, owner)


async def are_staged(places: Sequence[Path]) -> bool:
    """Whether something is mounted at each place, and is there still: a tenant may have removed it."""
    if not places:
        return True
    found = {item.path: item for item in await asyncio.to_thread(read_mounts)}
    return all(place in found and not found[place].removed for place in places)


async def ensure_unstaged(stage: Path) -> None:
    """Unmount everything below a folder of stages and remove it. Containers keep what they have; gone is fine."""
    await asyncio.to_thread(_ensure_unstaged, stage)


async def ensure_none_deep(below: Path) -> tuple[Path, ...]:
    """Unmount stages whose folders their tenants have moved where no path of the kernel's is long enough to lead.

    The kernel's list of mounts has the whole path of each. Docker reads it at every start of a container, whosever it
    is, and gives up at a line of 65,536 bytes.

    Returns:
        What was unmounted. Containers that run keep what they have.
    """
    return await asyncio.to_thread(_ensure_none_deep, below)


def staged(mounts: Sequence[Mounted], below: Path) -> Mapping[Path, Mounted]:
    """{place: mount}, of all that is staged below a folder."""
    return {item.path: item for item in mounts if below in item.path.parents}


def _ensure_staged(stage: Path, folders: Sequence[Folder], owner: int) -> tuple[Path, ...]:
    stage.mkdir(mode=0o711, parents=True, exist_ok=True)
    there = staged(read_mounts(), stage.resolve())
    places = []
    for number, folder in enumerate(folders):
        place = stage.resolve() / str(number)
        mount = there.get(place)
        if mount is not None and mount.removed:   # the tenant removed it: nobody can write into what is mounted
            _unmount(place)
            mount = None
        if mount is None:
            place.mkdir(mode=0o700, exist_ok=True)
            folder.root.mkdir(mode=0o755, parents=True, exist_ok=True)
            try:
                with open_folder(folder.root, folder.below, make_for=owner) as held:
                    if os.fstat(held).st_uid == 0:   # made on the way to another one
                        os.fchown(held, owner, owner)
                    _bind(held, place)
            except NotBeneath as error:
                error.number = number
                raise
            _make_held(folder, number, owner)
        # Each time: a daemon that was killed between the two calls has left it without.
        _call("mount", "none", place, MS_REMOUNT | MS_BIND | MS_NOSUID | MS_NODEV)
        places.append(place)
    return tuple(places)


def _make_held(folder: Folder, number: int, owner: int) -> None:
    for path in folder.holds:
        try:
            with open_folder(folder.root, f"{folder.below}/{path}", make_for=owner):
                pass
        except NotBeneath as error:
            error.number, error.held = number, path
            raise


def _ensure_none_deep(below: Path) -> tuple[Path, ...]:
    below = below.resolve()
    deep = [
        item.path for item in read_mounts(longer_than=LONGEST_BYTES)
        if item.folder_bytes > LONGEST_BYTES and below in item.path.parents
    ]
    for place in reversed(deep):
        _unmount(place)
        with suppress(OSError):   # another one lies below it
            os.rmdir(place)   # else Docker would start a container on the empty folder of root's
    return tuple(deep)


def _ensure_unstaged(stage: Path) -> None:
    stage = stage.resolve()
    # Not out of `staged`: what two callers mounted at once lies one above the other at one place.
    for place in [item.path for item in reversed(read_mounts()) if stage in item.path.parents]:
        _unmount(place)
    for at, _, _ in os.walk(stage, topdown=False):   # noqa: TID251  only folders of ours are left
        os.rmdir(at)


def _bind(folder: int, place: Path) -> None:
    """Bind what a descriptor holds: the kernel follows this link of /proc to the very folder, whatever it is called."""
    _call("mount", f"/proc/self/fd/{folder}", place, MS_BIND)


def _call(what: str, source: str, place: Path, flags: int) -> None:
    if _libc.mount(source.encode(), os.fsencode(place), None, ctypes.c_ulong(flags), None) != 0:
        number = ctypes.get_errno()
        raise NotStaged(
            f"cannot {what} a folder at {place}: {os.strerror(number)}",
            hint="deployd needs root and the host's mount namespace: `deployd doctor` looks for them",
        )


def _unmount(place: Path) -> None:
    if _libc.umount2(os.fsencode(place), MNT_DETACH | UMOUNT_NOFOLLOW) != 0:
        number = ctypes.get_errno()
        raise NotStaged(f"cannot unmount {place}: {os.strerror(number)}")
