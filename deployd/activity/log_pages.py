"""A log that is read in pieces: its end, from a line on, or where something stands in it. Blocking.

Its phases and what is searched are looked for block by block, and only the lines that are wanted are read as JSON.
What is handed on is bounded by bytes too: a program may write lines of 16,000 characters, and a page of them is several
times as large.
"""

from __future__ import annotations

import json
import time
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import chain
from pathlib import Path
from typing import BinaryIO

from deployd.activity.line import Line, parse_line, render_line
from deployd.activity.log_file import blocks, last_line, last_lines, lines_of, open_log, place_of
from deployd.activity.log_search import Search

MOST_BYTES = 2_000_000
"""Of lines that stand together."""
PIECE_BYTES = 200_000
SEARCHED_BYTES = 64 * 1024
"""After which others get their turn."""
PHASE_MARK = b'"kind": "phase"'


@dataclass(frozen=True, slots=True)
class PhaseStart:
    phase: str
    number: int
    """Of its first line."""
    at: str


@dataclass(frozen=True, slots=True)
class LogPage:
    """Some lines that stand together."""

    lines: tuple[Line, ...]
    before: int
    """How many lines stand before these."""
    after: int
    """How many stand behind them."""
    phases: tuple[PhaseStart, ...]
    """Of the whole log."""

    @property
    def last(self) -> int:
        """Number of the last line here; 0: there is none."""
        return self.lines[-1].number if self.lines else 0


def read_page(path: Path, most: int, *, start: int | None = None) -> LogPage:
    """
    Args:
        start: Number of the first line; None: the last lines of the log.
    """
    with open_log(path) as file:
        raw = _last(file, most) if start is None else _from(file, start, most)
        lines = tuple(line for text in raw if (line := parse_line(text)) is not None)
        end = last_line(file)
        phases = tuple(PhaseStart(line.text, line.number, line.at) for line in _phases(file))
    before = lines[0].number - 1 if lines else 0   # numbers grow by one
    after = end.number - lines[-1].number if end and lines else 0
    return LogPage(lines, before, max(0, after), phases)


def find_lines(path: Path, text: str, most: int) -> tuple[list[Line], int]:
    """(the last lines in which it stands, how many there are in all); upper and lower case are the same."""
    search = Search(text, most, MOST_BYTES)
    with open_log(path) as file:
        for block in blocks(file, block_bytes=SEARCHED_BYTES):
            search.look_through(block)
            time.sleep(0)   # the interpreter is the daemon's: whoever waits for it has it now
    return search.lines(), search.count


def printed_after(path: Path, title: str, app: str) -> int | None:
    """How many lines a program of an application has in the log, that is begun by a line `title`; None: it has none.

    Of several such programs the last one is meant.
    """
    needle = json.dumps(app, ensure_ascii=False).encode("utf-8", "replace")
    count, is_its = None, False
    with open_log(path) as file:
        for raw in chain.from_iterable(lines_of(block) for block in blocks(file, block_bytes=SEARCHED_BYTES)):
            line = parse_line(raw) if needle in raw else None
            if line is None or line.app != app:
                continue
            if line.kind == "line":
                is_its = line.text == title
                count = 0 if is_its else count
            elif is_its and count is not None and line.kind == "output":
                count += 1
    return count


def plain_pieces(path: Path) -> Iterator[bytes]:
    """The whole log as plain text, as `deployd log` shows it, some of it at a time."""
    piece = bytearray()
    with open_log(path) as file:
        for raw in chain.from_iterable(lines_of(block) for block in blocks(file, block_bytes=SEARCHED_BYTES)):
            if line := parse_line(raw):
                piece += "".join(f"{text}\n" for text in render_line(line)).encode("utf-8", "replace")
            if len(piece) >= PIECE_BYTES:
                yield bytes(piece)
                piece.clear()
    if piece:
        yield bytes(piece)


def _last(file: BinaryIO, most: int) -> list[bytes]:
    raw = last_lines(file, most, MOST_BYTES)
    return raw[len(raw) - _how_many(reversed(raw), most):]


def _from(file: BinaryIO, number: int, most: int) -> list[bytes]:
    """From the line of a number on; the last one when there is none."""
    found: list[bytes] = []
    size = 0
    for block in blocks(file, place_of(file, number)):
        found += lines_of(block)
        size += len(block)
        if len(found) >= most or size > MOST_BYTES:
            break
    return found[:_how_many(found, most)] or _last(file, 1)


def _phases(file: BinaryIO) -> Iterator[Line]:
    for block in blocks(file):
        found = block.find(PHASE_MARK)
        while found >= 0:
            begin, end = block.rfind(b"\n", 0, found) + 1, block.find(b"\n", found)
            line = parse_line(block[begin:end])
            if line is not None and line.kind == "phase":
                yield line
            found = block.find(PHASE_MARK, end)


def _how_many(raw: Iterable[bytes], most: int) -> int:
    """How many of the first ones may stand together: one at least, when there is one."""
    count = size = 0
    for text in raw:
        size += len(text)
        if count == most or (count and size > MOST_BYTES):
            break
        count += 1
    return count
