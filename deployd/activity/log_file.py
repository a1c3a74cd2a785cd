"""The file of a log, read in blocks: its last lines, and from where a line's number stands on. Blocking.

A log has some tens of megabytes at most (`log.py`). Nothing here holds more of it than a block and what is asked for.
"""

from __future__ import annotations

import io
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

from deployd.activity.line import Line, parse_line

BLOCK_BYTES = 256 * 1024
NEAR_BYTES = 16 * 1024
"""What is looked through line by line when a number is searched."""


def open_log(path: Path) -> BinaryIO:
    """A log that nobody wrote is empty."""
    try:
        return path.open("rb")
    except FileNotFoundError:
        return io.BytesIO()


def blocks(file: BinaryIO, start: int = 0, block_bytes: int = BLOCK_BYTES) -> Iterator[bytes]:
    """Whole lines, each with its line break, from a place on; what is written at this moment is left out.

    Args:
        start: Where a line begins.
    """
    file.seek(start)
    rest = b""
    while block := file.read(block_bytes):
        end = block.rfind(b"\n") + 1
        if end:
            yield rest + block[:end]
            rest = block[end:]
        else:
            rest += block


def lines_of(block: bytes) -> list[bytes]:
    """The lines of a block without their line breaks; empty ones are none."""
    return [raw for raw in block.split(b"\n") if raw]


def last_lines(file: BinaryIO, most: int, most_bytes: int) -> list[bytes]:
    """The last lines, oldest first: so many, or some more than so many bytes of them; one at least, if there is one."""
    size, window = file.seek(0, io.SEEK_END), BLOCK_BYTES
    while True:
        start = max(0, size - window)
        file.seek(start)
        data = file.read(size - start)
        begin = data.find(b"\n") + 1 if start else 0   # the beginning of the first one may not be here
        found = lines_of(data[begin:data.rfind(b"\n") + 1])
        if not start or len(found) >= most or (found and window > most_bytes):
            return found[-most:]
        window *= 2


def place_of(file: BinaryIO, number: int) -> int:
    """Where the first line begins whose number is not less; behind the last whole line when there is none.

    Numbers grow from line to line. A line that was torn has none, and is passed over.
    """
    low, high = 0, file.seek(0, io.SEEK_END)
    while high - low > NEAR_BYTES:   # what begins before `low` has smaller numbers
        middle = (low + high) // 2
        place, found = _numbered(file, middle)
        if found is None or found >= number or place >= high:
            high = middle
        else:
            low = place
    for block in blocks(file, low, NEAR_BYTES):
        for raw in block.split(b"\n")[:-1]:
            line = parse_line(raw) if raw else None
            if line is not None and line.number >= number:
                return low
            low += len(raw) + 1
    return low


def last_line(file: BinaryIO) -> Line | None:
    """The last one that is not torn, of the last hundred."""
    parsed = (parse_line(raw) for raw in reversed(last_lines(file, 100, NEAR_BYTES)))
    return next((line for line in parsed if line is not None), None)


def _numbered(file: BinaryIO, start: int) -> tuple[int, int | None]:
    """(where it begins, its number) of the first line that begins behind a place and is not torn."""
    file.seek(start)
    place = start + len(file.readline())
    while raw := file.readline():
        if raw.endswith(b"\n") and (line := parse_line(raw)) is not None:
            return place, line.number
        place += len(raw)
    return place, None
