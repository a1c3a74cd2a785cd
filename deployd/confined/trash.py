"""Trees that go are moved where nobody waits for their removal: sixty thousand files take a disk half a minute.

One rename, whatever is in a tree, and the way of a push goes on. What was put aside is removed by a task of the daemon,
one tree after the other and with the lowest priority, also what a daemon before has left.
"""

from __future__ import annotations

import asyncio
import errno
import os
import uuid
from contextlib import suppress
from pathlib import Path

from deployd.confined.trees import remove_tree
from deployd.units import MEGABYTE

SHORT_BYTES, SHORT_PART = 1024 * MEGABYTE, 0.05
"""With less free than the smaller of both, so many bytes and that part of the disk, room is wanted at once."""


async def move_to_trash(tree: Path, trash: Path) -> None:
    """Have a folder (or file) of root's be gone from its place. Not there is fine.

    Args:
        trash: Folder for what goes. On another disk than the tree it is of no use: then the tree is removed at once. So
            it is on a disk that is nearly full: whoever comes next needs the room, the database first of all.
    """
    try:
        if await asyncio.to_thread(_is_short, tree):
            await remove_tree(tree)
        else:
            await asyncio.to_thread(_move_to_trash, tree, trash)
    except FileNotFoundError:
        return
    except OSError as error:
        if error.errno not in (errno.EXDEV, errno.EBUSY, errno.ENOSPC):
            raise
        await remove_tree(tree)


async def move_all_to_trash(folder: Path, trash: Path, *, but_for: Path) -> None:
    """The same with all that is in a folder, and with itself when nothing is left in it."""
    for path in await asyncio.to_thread(lambda: list(folder.iterdir()) if folder.is_dir() else []):
        if path != but_for:
            await move_to_trash(path, trash)
    with suppress(OSError):   # it is not there, or what is kept is in it
        await asyncio.to_thread(folder.rmdir)


def _move_to_trash(tree: Path, trash: Path) -> None:
    os.lstat(tree)
    trash.mkdir(mode=0o700, parents=True, exist_ok=True)
    os.rename(tree, trash / uuid.uuid4().hex)


def _is_short(tree: Path) -> bool:
    disk = os.statvfs(tree)
    return disk.f_bavail * disk.f_frsize < min(SHORT_BYTES, SHORT_PART * disk.f_blocks * disk.f_frsize)
