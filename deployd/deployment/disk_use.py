"""How much room folders take that strangers write into, and how they go.

du and rm do it, and not a loop of ours: they are programs of their own that can be ended, follow no link, stay on their
file system, and get through trees that are deeper than a path may be long, or than Python may recurse.
"""

from __future__ import annotations

import asyncio
import os
from dataclasses import dataclass
from pathlib import Path

from deployd.process import run

LIMIT_SECONDS = 60.0
REMOVAL_SECONDS = 240.0
"""Less than the undo of a step may take."""


@dataclass(frozen=True, slots=True)
class Use:
    """What folders take."""

    size_bytes: int
    """On the disk; a sparse file counts with what it really takes."""
    files: int
    """Folders and links included: each is an inode, and a disk can run out of them while it has room."""


async def read_use(*folders: Path, limit_seconds: float = LIMIT_SECONDS) -> Use:
    """What folders take together; those that are not there take nothing.

    Raises:
        ProgramOverran: There are too many files to be counted in that time.
    """
    return Use(
        await _sum(folders, "--block-size=1", limit_seconds), await _sum(folders, "--inodes", limit_seconds),
    )


async def size_of(folder: Path, *, limit_seconds: float = LIMIT_SECONDS) -> int:
    """Bytes that a folder takes on its disk. What goes away meanwhile does not count.

    Raises:
        ProgramOverran: There are too many files to be counted in that time.
    """
    return await _sum((folder,), "--block-size=1", limit_seconds)


async def ensure_tree_gone(folder: Path, *, limit_seconds: float = REMOVAL_SECONDS) -> None:
    """Remove a folder with all that is in it; not being there is fine. What cannot be removed is left.

    Raises:
        ProgramOverran: There is more than can be removed in that time; the next try goes on.
    """
    if await asyncio.to_thread(os.path.lexists, folder):
        await run("rm", "-rf", "--one-file-system", "--", str(folder), check=False, limit_seconds=limit_seconds)


async def _sum(folders: tuple[Path, ...], unit: str, limit_seconds: float) -> int:
    there = await asyncio.to_thread(lambda: [str(folder) for folder in folders if os.path.lexists(folder)])
    if not there:
        return 0
    counted = await run(
        "du", "--summarize", "--one-file-system", unit, "--null", "--", *there,
        check=False, limit_seconds=limit_seconds,
    )
    return sum(int(item.split(b"\t")[0]) for item in counted.stdout.split(b"\0") if item)
