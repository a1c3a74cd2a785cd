"""The files of one container's output: the one that grows, and those that Docker set aside when they were full.

    log.2 ──► log.1 ──► log        oldest first; a full log becomes log.1, that log.2, and the one before goes

Docker's own are read where they lie, by a descriptor: a file that is set aside is read to its end. Places are times and
no offsets: they hold over a rotation, over the copy that is kept of a container that went, and over all containers.
Blocking; for a thread.
"""

from __future__ import annotations

import os
from collections import deque
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from deployd.output.entries import TIME

OLDER = (".2", ".1", "")
"""As many as `ContainerSpec.log_files`; oldest first."""
BLOCK_BYTES = 64 * 1024
STRAY_BYTES = 64 * 1024
"""Two streams of a container are written side by side, so that a line may stand before one that is older. So much
before the place of a time is read too."""
LONGEST_ENTRY_BYTES = 256 * 1024
"""16 KiB of control characters are escaped with six each."""
LONGEST_TIME_BYTES = 64
TRIES = 5
"""Docker sets a file aside in a few microseconds."""


@dataclass
class Opened:
    """A file at a place."""

    file: IO[bytes]
    number: int
    """Its inode."""
    offset: int = 0
    is_cut: bool = False
    """The last reading got as much as was wanted: there may be more."""


class OutputFiles:
    """Output of one container, from a place on."""

    def __init__(self, log: Path, longest_bytes: int = LONGEST_ENTRY_BYTES) -> None:
        """
        Args:
            log: The file that grows, or grew.
            longest_bytes: Of a line; what is longer is none.
        """
        self._log = log
        self._longest_bytes = longest_bytes
        self._files: deque[Opened] = deque()
        """What is to be read, oldest first; the last one may grow."""
        self.lost = False
        """Something went before it could be read. Whoever tells it sets it back."""

    def start_at(self, time: str) -> None:
        """Go to where lines begin that are as young as this; empty: to the beginning."""
        self.close()
        self._files = deque(_open_all(self._log))
        while time and len(self._files) > 1 and _begins_before(self._files[1], time):
            self._files.popleft().file.close()
        if time and self._files:
            self._files[0].offset = _place_of(self._files[0], time)

    def read(self, most_bytes: int) -> bytes:
        """Further whole lines; empty when there are none for now."""
        while True:
            if not self._files and not self._open_next(None):
                return b""
            current = self._files[0]
            is_last = len(self._files) == 1
            was_set_aside = not is_last or self._was_set_aside(current)   # before the reading: then it grows no more
            if chunk := _whole_lines(current, most_bytes, self._longest_bytes):
                return chunk
            if not was_set_aside:
                return b""
            if is_last and not self._open_next(current):
                return b""
            self._files.popleft().file.close()

    @property
    def has_more(self) -> bool:
        """There is a file behind the one that is read, or that one was not read to its end."""
        return len(self._files) > 1 or any(item.is_cut for item in self._files)

    def close(self) -> None:
        while self._files:
            self._files.popleft().file.close()

    def _was_set_aside(self, current: Opened) -> bool:
        try:
            return self._log.stat().st_ino != current.number
        except FileNotFoundError:
            return False   # between two, or its container is gone

    def _open_next(self, current: Opened | None) -> bool:
        """Open what is younger than a file that was read to its end. Returns whether there is something."""
        found = _open_all(self._log)
        numbers = [item.number for item in found]
        if current is not None and current.number in numbers:
            older = numbers.index(current.number) + 1
        else:
            older = 0
            self.lost = self.lost or (current is not None and bool(found))
        for item in found[:older]:
            item.file.close()
        self._files.extend(found[older:])
        return len(found) > older


def last_times(log: Path, count: int) -> list[str]:
    """When the last lines were written, oldest first."""
    found: list[str] = []
    files = _open_all(log)
    try:
        for item in reversed(files):
            found = [*_last_times(item, count - len(found)), *found]
            if len(found) >= count:
                break
    finally:
        for item in files:
            item.file.close()
    return found[-count:]


def _open_all(log: Path) -> list[Opened]:
    """All files that there are, oldest first, none twice and none left out though Docker may be setting one aside."""
    for _ in range(TRIES):
        found = []
        for end in OLDER:
            with suppress(FileNotFoundError):
                file = log.with_name(log.name + end).open("rb")
                found.append(Opened(file, os.fstat(file.fileno()).st_ino))
        if [item.number for item in found] == _numbers(log):
            return found
        for item in found:
            item.file.close()
    return []


def _numbers(log: Path) -> list[int]:
    found = []
    for end in OLDER:
        with suppress(FileNotFoundError):
            found.append(log.with_name(log.name + end).stat().st_ino)
    return found


def _whole_lines(current: Opened, most_bytes: int, longest_bytes: int) -> bytes:
    data = os.pread(current.file.fileno(), most_bytes, current.offset)
    end = data.rfind(b"\n") + 1
    current.is_cut = len(data) == most_bytes
    if not end and len(data) == most_bytes and most_bytes < longest_bytes:
        return _whole_lines(current, longest_bytes, longest_bytes)
    if not end and len(data) >= longest_bytes:   # no line of Docker's: a hole that a power cut left
        current.offset += len(data)
        return _whole_lines(current, most_bytes, longest_bytes)
    current.offset += end
    return data[:end]


def _begins_before(found: Opened, time: str) -> bool:
    first = TIME.search(os.pread(found.file.fileno(), LONGEST_ENTRY_BYTES, 0))
    return first is not None and first[1].decode() < time


def _place_of(found: Opened, time: str) -> int:
    """Where a line begins, some before the first one that is as young."""
    handle = found.file.fileno()
    low, high = 0, os.fstat(handle).st_size
    while high - low > BLOCK_BYTES:
        middle = (low + high) // 2
        ended = TIME.search(os.pread(handle, LONGEST_ENTRY_BYTES, middle))
        if ended is None or middle + ended.end() > high or ended[1].decode() >= time:
            high = middle
        else:
            low = middle + ended.end()
    begin = max(low - STRAY_BYTES, 0)
    return begin + os.pread(handle, LONGEST_ENTRY_BYTES, begin).find(b"\n") + 1 if begin else 0


def _last_times(found: Opened, count: int) -> list[str]:
    handle = found.file.fileno()
    at = os.fstat(handle).st_size
    times: list[str] = []
    while at > 0 and len(times) < count:
        size = min(BLOCK_BYTES, at)
        at -= size
        block = os.pread(handle, size + LONGEST_TIME_BYTES, at)   # one may lie on the border
        times = [item[1].decode() for item in TIME.finditer(block) if item.start() < size] + times
    return times
