"""Whole trees of a tenant: removed, given to another user, measured.

By coreutils and not by our own hands. They walk by descriptor and follow no link, they take folders a hundred thousand
levels deep, for which Python's own walks run out of stack, and they are programs: they hold no thread of ours, have a
limit, and end with whoever waits for them. The path itself has to be root's.
"""

from __future__ import annotations

import asyncio
import os
from collections.abc import Collection, Iterable, Iterator
from itertools import islice
from pathlib import Path

from deployd.process import run

REMOVE_SECONDS = 3_600
OWN_SECONDS = 1_800
MEASURE_SECONDS = 300
AT_A_TIME = 200
"""Folders for one program: a host has thousands."""


async def remove_tree(folder: Path) -> None:
    """Remove a folder (or file) with all that is in it; not there is fine. What is mounted below it stays.

    Raises:
        ProgramFailed: Something of it stays.
    """
    if await asyncio.to_thread(os.path.lexists, folder):
        await run("rm", "-rf", "--one-file-system", "--", str(folder), limit_seconds=REMOVE_SECONDS)


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


async def sizes_of(folders: Collection[Path]) -> dict[Path, int]:
    """{folder: bytes that it takes on its disk}; 0 for one that is not there. What goes away meanwhile does not count.

    Raises:
        ProgramOverran: There is too much to be counted.
    """
    sizes = dict.fromkeys(folders, 0)
    for batch in batched(sizes, AT_A_TIME):
        output = await run(
            "du", "--summarize", "--block-size=1", "--one-file-system", "--null", "--", *map(str, batch),
            limit_seconds=MEASURE_SECONDS, check=False,
        )
        for entry in output.stdout.split(b"\0"):
            number, _, name = entry.partition(b"\t")
            if name:
                sizes[Path(os.fsdecode(name))] = int(number)
    return sizes


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


async def size_of(folder: Path) -> int:
    """Bytes that one folder takes; see `sizes_of`."""
    return (await sizes_of([folder]))[folder]


def batched(items: Iterable[Path], count: int) -> Iterator[tuple[Path, ...]]:
    """The items, `count` at a time."""
    left = iter(items)
    while batch := tuple(islice(left, count)):
        yield batch
