"""The snapshot of a tenant's tree, taken while he may write into it: by descriptor, within bounds of size and time.

Contents are not copied where the file system can share them (`FICLONERANGE`: XFS, Btrfs).
Surprise: a tree is looked at first. Whoever waits for the copy waits only for trees that are within the bounds.
"""

from __future__ import annotations

import fcntl
import os
import stat
import struct
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, nullcontext, suppress
from dataclasses import dataclass, field, replace
from pathlib import Path
from tempfile import TemporaryFile
from typing import IO

from deployd.confined.beneath import FILE, open_folder
from deployd.confined.tree_format import (
    BLOCK_BYTES,
    DEEPEST,
    Content,
    Entry,
    TooDeep,
    content_file,
    entry_of,
    tree_file,
    walk,
    write_entries,
)
from deployd.units import megabytes

MOST_ENTRIES = 200_000
"""Of all trees together, with the pieces of their large files; ten seconds of work."""
FICLONERANGE = 0x4020940D
"""<linux/fs.h>"""
SMALL_BYTES, CHUNK_BYTES = 65_536, 8_000_000


class LeftOut(Exception):
    """A tree is not kept; its text says why, after its name."""


@dataclass(slots=True)
class Bounds:
    """What all trees may take together."""

    size_bytes: int
    """That has to be copied."""
    end: float
    """By the monotonic clock."""
    seconds: float
    room_bytes: int
    """On the disk."""
    is_over: Callable[[], bool] = lambda: False
    """Whether nobody waits for it any more."""
    shares: bool = False
    """Whether the file system shares contents."""
    entries: int = MOST_ENTRIES
    spent_bytes: int = 0

    def check(self) -> None:
        """
        Raises:
            LeftOut: One of them is reached.
        """
        if self.spent_bytes > self.size_bytes:
            raise LeftOut(f"more than {megabytes(self.size_bytes):.0f} MB would have to be copied (snapshot_mounts_mb)")
        if self.entries < 0:
            raise LeftOut(f"there are more than {MOST_ENTRIES:,} files, or pieces of files between holes")
        if self.spent_bytes > self.room_bytes:
            raise LeftOut("there is too little room on the disk (min_free_disk_mb)")
        if self.entries % 64 == 0:   # both ask the kernel
            self.check_time()

    def check_time(self) -> None:
        """
        Raises:
            LeftOut: It is over.
        """
        if time.monotonic() > self.end:
            raise LeftOut(f"it cannot be copied in {self.seconds:g} s, and visitors wait")
        if self.is_over():
            raise SystemExit(1)


def measure(root: Path, folder: str, bounds: Bounds) -> int:
    """Bytes that would have to be read of a tree. Blocking.

    Raises:
        LeftOut: It does not fit into the bounds.
        NotBeneath, OSError: It cannot be read.
    """
    looked = replace(bounds)

    def entries_of(held: int) -> list[Entry]:
        folders = []
        with os.scandir(held) if held >= 0 else nullcontext(()) as entries:
            for entry in entries:
                looked.entries -= 1
                with suppress(FileNotFoundError):
                    seen = entry.stat(follow_symlinks=False)
                    if stat.S_ISDIR(seen.st_mode):
                        folders.append(entry_of(entry.name, seen))
                    elif not looked.shares or seen.st_size <= SMALL_BYTES:
                        looked.spent_bytes += min(seen.st_size, seen.st_blocks * 512)
                looked.check()
        return folders

    with open_folder(root, folder) as top, _depth_told():
        walk(top, entries_of)
    return looked.spent_bytes - bounds.spent_bytes


def shares_contents(folder: Path) -> bool:
    """Whether files of this file system can have contents together. Blocking."""
    with TemporaryFile(dir=folder) as one, TemporaryFile(dir=folder) as other:
        one.write(bytes(BLOCK_BYTES))
        one.flush()
        return _share(one.fileno(), 0, BLOCK_BYTES, other.fileno(), 0)


def take_snapshot(root: Path, folder: str, to: Path, number: int, bounds: Bounds) -> tuple[int, int]:
    """Write a tree down. Blocking.

    Returns:
        (files, bytes that were written or shared)

    Raises:
        LeftOut: It does not fit into the bounds; nothing of it is kept.
        NotBeneath, OSError: It cannot be read.
    """
    before = replace(bounds)
    try:
        with ExitStack() as stack:
            top = stack.enter_context(open_folder(root, folder))
            if os.fstat(top).st_dev != os.stat(to).st_dev:   # what is new could not be moved away by a rename
                raise LeftOut("it is on another disk than the snapshot, and could not be put back")
            lines = stack.enter_context(tree_file(to, number).open("x", encoding="utf-8"))
            contents = stack.enter_context(content_file(to, number).open("xb", buffering=0))
            snapshot = _Snapshot(lines, contents.fileno(), bounds, os.fstat(top).st_dev)
            # Where a link has its target the folder itself has the time at which its keeping began.
            write_entries(lines, [entry_of(".", os.fstat(top), target=str(time.time_ns()))])
            with _depth_told():
                walk(top, snapshot.entries_of)
            snapshot.flush()
            lines.flush()
            os.fdatasync(contents.fileno())
            os.fdatasync(lines.fileno())
            return snapshot.files, snapshot.size_bytes
    except BaseException:
        tree_file(to, number).unlink(missing_ok=True)
        content_file(to, number).unlink(missing_ok=True)
        bounds.spent_bytes, bounds.entries = before.spent_bytes, before.entries
        raise


@contextmanager
def _depth_told() -> Iterator[None]:
    try:
        yield
    except TooDeep:
        raise LeftOut(f"its folders stand more than {DEEPEST} deep") from None


@dataclass(slots=True)
class _Snapshot:
    lines: IO[str]
    contents: int
    bounds: Bounds
    device: int
    files: int = 0
    size_bytes: int = 0
    end: int = 0
    """Of the contents, with what waits to be written."""
    waiting: bytearray = field(default_factory=bytearray)
    linked: dict[int, Content] = field(default_factory=dict)
    """{inode: content}, of files with several names: each is kept once."""

    def entries_of(self, held: int) -> list[Entry]:
        entries = []
        if held >= 0:
            with os.scandir(held) as found:
                for item in found:
                    self.bounds.entries -= 1
                    self.bounds.check()
                    entry = self._entry(held, item.name)
                    if entry is not None:
                        entries.append(entry)
        write_entries(self.lines, entries)
        return entries

    def _entry(self, held: int, name: str) -> Entry | None:
        """None: it has gone meanwhile."""
        try:
            seen = os.stat(name, dir_fd=held, follow_symlinks=False)
            if seen.st_dev != self.device:   # somebody of the host has mounted something there
                return replace(entry_of(name, seen), kind="other")
            if stat.S_ISLNK(seen.st_mode):
                return entry_of(name, seen, target=os.readlink(name, dir_fd=held))
            return self._file(held, name) if stat.S_ISREG(seen.st_mode) else entry_of(name, seen)
        except FileNotFoundError:
            return None

    def _file(self, held: int, name: str) -> Entry:
        source = os.open(name, FILE, dir_fd=held)
        try:
            seen = os.fstat(source)   # not of the name: it may be another one by now
            if not stat.S_ISREG(seen.st_mode):
                return entry_of(name, seen)
            content = self.linked.get(seen.st_ino)
            if content is None:
                content = self._content(source, seen)
                self.files += 1
                if seen.st_nlink > 1:
                    self.linked[seen.st_ino] = content
            return entry_of(name, seen, content=content)
        finally:
            os.close(source)

    def _content(self, source: int, seen: os.stat_result) -> Content:
        size = seen.st_size
        if size <= SMALL_BYTES and seen.st_blocks * 512 >= size:
            data = os.read(source, size)
            return Content(size, ((0, len(data), self._append(data)),) if data else ())
        pieces = []
        for begin, end in _data_in(source, size):
            self.bounds.entries -= 1   # of a file full of holes there may be millions, and sharing them copies nothing
            self.bounds.check()
            self.flush()
            self.end = -(-self.end // BLOCK_BYTES) * BLOCK_BYTES
            place, length = self.end, self._copy(source, begin, end)
            self.end = place + length
            pieces.append((begin, length, place))
        return Content(size, tuple(pieces))

    def _append(self, data: bytes) -> int:
        place = self.end
        self.waiting += data
        self.end += len(data)
        self.size_bytes += len(data)
        self.bounds.spent_bytes += len(data)
        if len(self.waiting) > CHUNK_BYTES:
            self.flush()
        return place

    def flush(self) -> None:
        place = self.end - len(self.waiting)
        while self.waiting:
            written = os.pwrite(self.contents, self.waiting, place)
            place += written
            del self.waiting[:written]

    def _copy(self, source: int, begin: int, end: int) -> int:
        """How much of it was there."""
        if self.bounds.shares and _share(source, begin, end, self.contents, self.end):
            self.size_bytes += end - begin
            return end - begin
        at = begin
        while at < end:
            self.bounds.check()
            self.bounds.check_time()
            count = os.copy_file_range(source, self.contents, min(CHUNK_BYTES, end - at), at, self.end + at - begin)
            if count == 0:   # it has become shorter
                break
            at += count
            self.size_bytes += count
            self.bounds.spent_bytes += count
        return at - begin


def _share(source: int, begin: int, end: int, target: int, place: int) -> bool:
    """Have a piece of a file stand in another one too, without copying it, where the file system can do that."""
    length = 0 if os.fstat(source).st_size <= end else end - begin   # 0: to its end, which is nowhere near a block's
    try:
        fcntl.ioctl(target, FICLONERANGE, struct.pack("qQQQ", source, begin, length, place))
    except OSError:
        return False
    return True


def _data_in(source: int, size: int) -> Iterator[tuple[int, int]]:
    """(begin, end) of what is no hole."""
    at = 0
    while at < size:
        try:
            begin = os.lseek(source, at, os.SEEK_DATA)
        except OSError:   # holes to its end
            break
        at = min(os.lseek(source, begin, os.SEEK_HOLE), size)
        if begin < size:
            yield begin, at
