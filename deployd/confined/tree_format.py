"""How the snapshot of a tenant's tree is written down: a line of JSON for each folder, and all contents in one file.

    <number>.tree       the folder itself; then a line for each folder, in the order in which a walk comes to them
    <number>.content    contents of files, one behind the other; holes are left out, large ones begin at a block

Nothing in it is called as the tenant called it, so no name of his means anything to who reads, moves or removes it.
Numbers of inodes and times of change say later what is still as it was: a tenant can set neither.
"""

from __future__ import annotations

import json
import os
import stat
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

from deployd.confined.beneath import FOLDER

DEEPEST = 200
"""Levels of folders. Each costs a descriptor; people's trees have ten."""
BLOCK_BYTES = 4096
KINDS = {stat.S_IFREG: "file", stat.S_IFDIR: "folder", stat.S_IFLNK: "link", stat.S_IFIFO: "pipe",
         stat.S_IFSOCK: "socket"}


class TooDeep(Exception):
    """A tree has more than DEEPEST levels."""


@dataclass(frozen=True, slots=True)
class Content:
    """Of a file: where each of its pieces lies among the contents. What is in none of them is a hole."""

    size_bytes: int
    pieces: tuple[tuple[int, int, int], ...]
    """(offset in the file, length, offset among the contents)"""


@dataclass(frozen=True, slots=True)
class Entry:
    """One entry of a folder, as it was."""

    name: str
    kind: str
    """A value of KINDS; `other` for what is not kept: it is left alone."""
    mode: int
    owner: int
    group: int
    modified_ns: int
    inode: int
    changed_ns: int
    links: int
    target: str = ""
    """Of a link."""
    content: Content | None = None


def entry_of(name: str, seen: os.stat_result, **more: Any) -> Entry:
    kind = KINDS.get(stat.S_IFMT(seen.st_mode), "other")
    return Entry(
        name, kind, stat.S_IMODE(seen.st_mode), seen.st_uid, seen.st_gid, seen.st_mtime_ns, seen.st_ino,
        seen.st_ctime_ns, seen.st_nlink, **more,
    )


def write_entries(file: IO[str], entries: list[Entry]) -> None:
    """One line, which is a folder. JSON writes bytes of names that are no text as what Python makes of them."""
    file.write(json.dumps([_row(entry) for entry in entries], separators=(",", ":")) + "\n")


def read_entries(file: IO[str]) -> list[Entry]:
    """The next line; an empty folder after the last one."""
    line = file.readline()
    return [_entry(row) for row in json.loads(line)] if line else []


def _row(entry: Entry) -> list[Any]:
    content = entry.content
    return [
        entry.name, entry.kind, entry.mode, entry.owner, entry.group, entry.modified_ns, entry.inode, entry.changed_ns,
        entry.links, entry.target, [content.size_bytes, content.pieces] if content else None,
    ]


def _entry(row: list[Any]) -> Entry:
    if row[-1] is not None:
        size_bytes, pieces = row[-1]
        row[-1] = Content(size_bytes, tuple(map(tuple, pieces)))
    return Entry(*row)


def walk(top: int, entries_of: Callable[[int], list[Entry]]) -> None:
    """Have a function called with a descriptor of each folder of a tree, parents first. Blocking.

    Args:
        entries_of: What is in the folder; the walk goes down into those that are folders. Called with -1 for one that
            is no folder any more, or that went.

    Raises:
        TooDeep: Folders stand deeper than a walk goes.
    """
    stack = [(top, _folders(entries_of(top)))]
    try:
        while stack:
            held, names = stack[-1]
            name = next(names, None)
            if name is None:
                stack.pop()
                if stack:
                    os.close(held)
                continue
            try:
                inner = os.open(name, FOLDER, dir_fd=held)
            except OSError:
                entries_of(-1)
                continue
            stack.append((inner, iter(())))
            if len(stack) > DEEPEST:
                raise TooDeep
            stack[-1] = (inner, _folders(entries_of(inner)))
    finally:
        for held, _ in stack[1:]:
            os.close(held)


def _folders(entries: list[Entry]) -> Iterator[str]:
    return iter([entry.name for entry in entries if entry.kind == "folder"])


def tree_file(folder: Path, number: int) -> Path:
    return folder / f"{number}.tree"


def content_file(folder: Path, number: int) -> Path:
    return folder / f"{number}.content"
