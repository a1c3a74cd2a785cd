"""What a container of a build wrote, beside and over the repository's files: whether a later build may take it over.

Nobody writes there any more, but what is there is a tenant's: no link is followed, and folders that the repository does
not have are not looked into.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

from deployd.confined.beneath import open_folder, read_file
from deployd.deployment.reuse import Entries, with_folders

MOST_WRITTEN_OVER = 50_000
LONGEST_NAMES = 4_000_000
"""Characters of all names together: they are read whenever a build looks for what it may take over."""
LARGEST_RECORD_BYTES = 8_000_000
OPAQUE = "trusted.overlay.opaque"
"""How overlayfs marks a folder that was removed and made once more: nothing of the layers below is seen in it."""


def written_over(upper: Path, entries: Entries) -> tuple[dict[str, Any], str]:
    """(what `fits` goes by; why it cannot be kept, "": it can). Blocking.

    Args:
        upper: The layer that the container wrote.
        entries: What the repository has.
    """
    folders = {folder for path in entries for folder in with_folders(path)} - entries.keys()
    over: dict[str, str] = {}
    new: list[str] = []
    count = length = 0
    waiting = [""]
    while waiting:
        below = waiting.pop()
        if below and _is_opaque(upper, below):
            return {}, f"it replaced the folder {below}"
        for path, seen in _entries(upper, below):
            count, length = count + 1, length + len(path)
            if count > MOST_WRITTEN_OVER or length > LONGEST_NAMES:
                return {}, "it wrote beside too many files of the repository"
            if path in entries:
                over[path] = entries[path]
            elif path in folders:
                if not stat.S_ISDIR(seen.st_mode):
                    return {}, f"it replaced the folder {path}"
                waiting.append(path)
            elif not _is_removal(seen):   # of what a layer below has made, which its key knows
                new.append(path)
    return {"over": over, "new": sorted(new)}, ""


def first_outside(upper: Path, outputs: Sequence[str]) -> str:
    """The first thing that a container wrote outside of these files and folders; "" when there is none. Blocking."""
    waiting = [""] if outputs else []
    while waiting:
        for path, seen in _entries(upper, waiting.pop()):
            if any(path == item or path.startswith(f"{item}/") for item in outputs):
                continue
            if not stat.S_ISDIR(seen.st_mode) or not any(item.startswith(f"{path}/") for item in outputs):
                return path
            waiting.append(path)
    return ""


def take_record(upper: Path, record: str) -> frozenset[str] | None:
    """What a container wrote down of the files that it read, which is taken out of its layer. Blocking.

    Args:
        record: Name of the file; "": it writes none.

    Returns:
        None: It is not there, or too long to be read.
    """
    if not record:
        return frozenset()
    with open_folder(upper) as held:
        data = read_file(held, record, LARGEST_RECORD_BYTES)
        with suppress(FileNotFoundError, IsADirectoryError):
            os.unlink(record, dir_fd=held)
    if data is None or len(data) >= LARGEST_RECORD_BYTES:
        return None
    return frozenset(data.decode("utf-8", "surrogateescape").split("\n")) - {""}


def _entries(upper: Path, below: str) -> Iterator[tuple[str, os.stat_result]]:
    with open_folder(upper, below) as held, os.scandir(held) as listed:
        for entry in listed:
            yield f"{below}/{entry.name}" if below else entry.name, entry.stat(follow_symlinks=False)


def _is_removal(seen: os.stat_result) -> bool:
    """How overlayfs writes down that something is not there any more."""
    return stat.S_ISCHR(seen.st_mode) and seen.st_rdev == 0


def _is_opaque(upper: Path, below: str) -> bool:
    with open_folder(upper, below) as held:
        try:
            return os.getxattr(held, OPAQUE) == b"y"
        except OSError:
            return False
