"""Whole trees of a tenant: removed, given to another user, measured.

By coreutils and not by our own hands. They walk by descriptor and follow no link, they take folders a hundred thousand
levels deep, for which Python's own walks run out of stack, and they are programs: they hold no thread of ours, have a
limit, and end with whoever waits for them. The path itself has to be root's.
"""

from __future__ import annotations

import asyncio
import os
from dataclasses import dataclass
from pathlib import Path

from deployd.process import run

REMOVE_SECONDS = 240.0
"""Less than the undo of a step may take."""
OWN_SECONDS = 1_800.0
MEASURE_SECONDS = 60.0


@dataclass(frozen=True, slots=True)
class Use:
    """What folders take."""

    size_bytes: int
    """On the disk; a sparse file counts with what it really takes."""
    files: int
    """Folders and links included: each is an inode, and a disk can run out of them while it has room."""


async def remove_tree(folder: Path, *, gently: bool = False) -> None:
    """Remove a folder (or file) with all that is in it; not there is fine. What cannot be removed is left.

    In the way of a push nobody waits for that: `confined/trash.py` has it put aside.

    Args:
        gently: Let everybody else go first.

    Raises:
        ProgramOverran: There is more than can be removed in that time; the next try goes on.
    """
    if await asyncio.to_thread(os.path.lexists, folder):
        await run(
            *(("nice", "-n", "19") if gently else ()), "rm", "-rf", "--one-file-system", "--", str(folder),
            check=False, limit_seconds=REMOVE_SECONDS,
        )


async def own_tree(folder: Path, owner: int) -> None:
    """Have a folder that was just made, and all that is in it, belong to a user (and the group of the same number).

    Raises:
        ProgramFailed, ProgramOverran: Not all of it does.
    """
    await run(
        "chown", "--no-dereference", "--recursive", "-P", f"{owner}:{owner}", "--", str(folder),
        limit_seconds=OWN_SECONDS,
    )


async def ensure_owner(folder: Path, owner: int) -> bool:
    """Have a folder and all that is in it belong to a user (and the group of the same number).

    The folder itself comes last: one that belongs to them is done, and after a crash it is all done again.

    Returns:
        Whether there was something to do.

    Raises:
        ProgramFailed, ProgramOverran: Not all of it belongs to them.
        FileNotFoundError: There is no such folder.
    """
    if (await asyncio.to_thread(os.lstat, folder)).st_uid == owner:
        return False
    await give_tree(folder, owner)
    await run("chown", "--no-dereference", f"{owner}:{owner}", "--", str(folder), limit_seconds=OWN_SECONDS)
    return True


async def give_tree(folder: Path, owner: int) -> None:
    """Have all that is in a folder, and not the folder itself, belong to a user (and the group of the same number).

    Raises:
        ProgramFailed, ProgramOverran: Not all of it does.
    """
    await run(
        "find", "-P", str(folder), "-mindepth", "1", "-maxdepth", "1", "-exec",
        "chown", "--no-dereference", "--recursive", "-P", f"{owner}:{owner}", "--", "{}", "+",
        limit_seconds=OWN_SECONDS,
    )


async def count_files(folder: Path) -> tuple[int, int]:
    """(regular files below a folder, bytes in them); nothing when it is not there."""
    files = size = 0

    def count(stream: str, line: str) -> None:
        nonlocal files, size
        if stream == "stdout":
            files, size = files + 1, size + int(line)

    await run(
        "find", "-P", str(folder), "-xdev", "-type", "f", "-printf", "%s\\n", limit_seconds=MEASURE_SECONDS,
        check=False, on_line=count,
    )
    return files, size


async def read_use(*folders: Path, limit_seconds: float = MEASURE_SECONDS) -> Use:
    """What folders take together; those that are not there take nothing.

    Raises:
        ProgramOverran: There are too many files to be counted in that time.
    """
    try:
        async with asyncio.TaskGroup() as group:   # side by side: to start a program takes longer than to count
            size = group.create_task(_sum(folders, "--block-size=1", limit_seconds), name="du of bytes")
            files = group.create_task(_sum(folders, "--inodes", limit_seconds), name="du of files")
    except ExceptionGroup as failed:
        raise failed.exceptions[0] from None
    return Use(size.result(), files.result())


async def size_of(folder: Path, *, limit_seconds: float = MEASURE_SECONDS) -> int:
    """Bytes that a folder takes on its disk. What goes away meanwhile does not count.

    Raises:
        ProgramOverran: There are too many files to be counted in that time.
    """
    return await _sum((folder,), "--block-size=1", limit_seconds)


async def bytes_to_read(folder: Path, *, limit_seconds: float = MEASURE_SECONDS) -> int:
    """Bytes in the files of a folder, of sparse files their holes too: what somebody has to read who reads all of them.

    Raises:
        ProgramOverran: There are too many files to be counted in that time.
    """
    return await _sum((folder,), "--bytes", limit_seconds)


async def _sum(folders: tuple[Path, ...], unit: str, limit_seconds: float) -> int:
    there = await asyncio.to_thread(lambda: [str(folder) for folder in folders if os.path.lexists(folder)])
    if not there:
        return 0
    counted = await run(
        "du", "--summarize", "--one-file-system", unit, "--null", "--", *there,
        check=False, limit_seconds=limit_seconds,
    )
    return sum(int(item.split(b"\t")[0]) for item in counted.stdout.split(b"\0") if item)
