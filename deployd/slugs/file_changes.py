"""A program: which files of two slugs differ.

    python -m deployd.slugs.file_changes ONE.squashfs OTHER.squashfs FOLDER

It mounts both below FOLDER, so whoever starts it gives it a mount namespace of its own: what it mounted is gone with
it, however it ends. Folder after folder is compared, so memory is needed for the largest folder and not for the tree,
and an end is set to the time in which contents are read. What is found is bounded, and one JSON document.
"""

from __future__ import annotations

import asyncio
import json
import os
import resource
import stat
import sys
import time
from dataclasses import asdict, dataclass, field
from pathlib import Path

from deployd.process import run

MOST_FILES = 500
"""Named of each kind; the others are counted."""
LOOK_SECONDS = 20.0
"""For all of it; folders that are left then are counted as not looked into."""
READ_SECONDS = 10.0
"""Of that, for contents of files that have the same size; those after that are counted as not looked into."""
MOST_MEMORY_BYTES = 1024**3
CHUNK_BYTES = 1024 * 1024
LONGEST_NAME = 300
ADDED, CHANGED, REMOVED = "added", "changed", "removed"
KINDS = (ADDED, CHANGED, REMOVED)


@dataclass
class Found:
    counts: dict[str, int] = field(default_factory=lambda: dict.fromkeys(KINDS, 0))
    grown_bytes: int = 0
    """By how much all files together are larger in the other one."""
    files: list[tuple[str, str, int | None, int | None]] = field(default_factory=list)
    """(kind, path, bytes before, bytes after)"""
    unread: int = 0
    """Of the same size, but not looked into: there were too many."""
    skipped: int = 0
    """Folders that were not looked into: they lie too deep, or there was no time."""

    def note(self, kind: str, path: bytes, before: int | None, after: int | None) -> None:
        self.counts[kind] += 1
        self.grown_bytes += (after or 0) - (before or 0)
        if self.counts[kind] <= MOST_FILES:
            self.files.append((kind, path.decode(errors="replace")[:LONGEST_NAME], before, after))


@dataclass(frozen=True, slots=True)
class _File:
    mode: int
    size: int
    target: bytes

    @property
    def is_folder(self) -> bool:
        return stat.S_ISDIR(self.mode)


def compare_trees(
    one: Path, other: Path, read_seconds: float = READ_SECONDS, look_seconds: float = LOOK_SECONDS,
) -> Found:
    """Files and links of two folders: their kind, size, rights, target and content; no owners and no times."""
    found, began = Found(), time.monotonic()
    until = began + read_seconds
    roots = os.fsencode(one), os.fsencode(other)
    waiting = [b""]
    while waiting:
        if time.monotonic() > began + look_seconds:
            found.skipped += len(waiting)
            break
        below = waiting.pop()
        before, after = (_entries(root, below, found) for root in roots)
        for name in sorted(before.keys() | after.keys()):
            path = os.path.join(below, name)
            old, new = before.get(name), after.get(name)
            if (old and old.is_folder) or (new and new.is_folder):
                waiting.append(path)
            _note(found, path, old, new, roots, until)
    found.files.sort(key=lambda item: item[1])
    return found


def _note(
    found: Found, path: bytes, old: _File | None, new: _File | None, roots: tuple[bytes, bytes], until: float,
) -> None:
    old, new = (None if item is None or item.is_folder else item for item in (old, new))
    if old is not None and new is not None:
        if old != new:
            found.note(CHANGED, path, old.size, new.size)
        elif stat.S_ISREG(old.mode) and old.size:
            if time.monotonic() > until:
                found.unread += 1
            elif _differ(*(os.path.join(root, path) for root in roots)):
                found.note(CHANGED, path, old.size, new.size)
    elif new is not None:
        found.note(ADDED, path, None, new.size)
    elif old is not None:
        found.note(REMOVED, path, old.size, None)


def _entries(root: bytes, below: bytes, found: Found) -> dict[bytes, _File]:
    """What is in a folder; nothing when it is none, or not there."""
    entries: dict[bytes, _File] = {}
    try:
        with os.scandir(os.path.join(root, below) if below else root) as listed:
            for entry in listed:
                seen = entry.stat(follow_symlinks=False)
                target = os.readlink(entry.path) if stat.S_ISLNK(seen.st_mode) else b""
                entries[entry.name] = _File(seen.st_mode, seen.st_size, target)
    except (FileNotFoundError, NotADirectoryError):
        return {}
    except OSError:
        found.skipped += 1
    return entries


def _differ(one: bytes, other: bytes) -> bool:
    with open(one, "rb") as first, open(other, "rb") as second:
        while chunk := first.read(CHUNK_BYTES):
            if chunk != second.read(CHUNK_BYTES):
                return True
    return False


async def _mount(slug: str, folder: Path) -> Path:
    await run("mount", "-t", "squashfs", "-o", "loop,ro,nodev,nosuid,noexec", slug, str(folder), limit_seconds=30)
    return folder


async def _mount_both(one: str, other: str, folder: Path) -> tuple[Path, Path]:
    return await _mount(one, folder / "one"), await _mount(other, folder / "other")


def main(one: str, other: str, folder: str) -> None:
    for name in ("one", "other"):
        (Path(folder) / name).mkdir()
    resource.setrlimit(resource.RLIMIT_AS, (MOST_MEMORY_BYTES, MOST_MEMORY_BYTES))
    os.nice(10)
    print(json.dumps(asdict(compare_trees(*asyncio.run(_mount_both(one, other, Path(folder)))))))


if __name__ == "__main__":
    main(*sys.argv[1:])
