"""A log that is read in pieces: its end, from a line on, or where something stands in it. Blocking.

A whole log has 20 MB at most (`log.py`), and is looked through in some tens of milliseconds; only the lines that are
wanted are read as JSON. What is handed on is bounded by bytes too: a program may write lines of 16,000 characters, and
a page of them is several times as large.
"""

from __future__ import annotations

import json
from collections import deque
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from deployd.activity.line import Line, parse_line, render_line

MOST_BYTES = 2_000_000
"""Of lines that stand together."""
PIECE_BYTES = 200_000
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


def read_page(file: Path, most: int, *, start: int | None = None) -> LogPage:
    """
    Args:
        start: Number of the first line; None: the last lines of the log.
    """
    raw = list(_raw_lines(file))
    if start is None:
        first = len(raw) - _how_many(reversed(raw), most)
        chosen = raw[first:]
    else:
        first = _place_of(raw, start)
        chosen = raw[first:first + _how_many(raw[first:first + most], most)]
    phases = [line for text in raw if PHASE_MARK in text and (line := parse_line(text)) and line.kind == "phase"]
    return LogPage(
        tuple(line for text in chosen if (line := parse_line(text)) is not None), first,
        len(raw) - first - len(chosen), tuple(PhaseStart(line.text, line.number, line.at) for line in phases),
    )


def find_lines(file: Path, text: str, most: int) -> tuple[list[Line], int]:
    """(the last lines in which it stands, how many there are in all); upper and lower case are the same."""
    wanted = text.casefold()
    needle = json.dumps(wanted, ensure_ascii=False)[1:-1].encode("utf-8", "replace")
    found: deque[tuple[Line, int]] = deque()
    count = size = 0
    for raw in _raw_lines(file):
        if needle not in raw.decode("utf-8", "replace").casefold().encode():
            continue
        line = parse_line(raw)
        if line is None or not _stands_in(line, wanted):
            continue
        found.append((line, len(raw)))
        count, size = count + 1, size + len(raw)
        while len(found) > most or (size > MOST_BYTES and len(found) > 1):
            size -= found.popleft()[1]
    return [line for line, _ in found], count


def printed_after(file: Path, title: str, app: str) -> int | None:
    """How many lines a program of an application has in the log, that is begun by a line `title`; None: it has none.

    Of several such programs the last one is meant.
    """
    needle = json.dumps(app, ensure_ascii=False).encode("utf-8", "replace")
    count, is_its = None, False
    for raw in _raw_lines(file):
        line = parse_line(raw) if needle in raw else None
        if line is None or line.app != app:
            continue
        if line.kind == "line":
            is_its = line.text == title
            count = 0 if is_its else count
        elif is_its and count is not None and line.kind == "output":
            count += 1
    return count


def plain_pieces(file: Path) -> Iterator[bytes]:
    """The whole log as plain text, as `deployd log` shows it, some of it at a time."""
    piece = bytearray()
    for raw in _raw_lines(file):
        if line := parse_line(raw):
            piece += "".join(f"{text}\n" for text in render_line(line)).encode("utf-8", "replace")
        if len(piece) >= PIECE_BYTES:
            yield bytes(piece)
            piece.clear()
    if piece:
        yield bytes(piece)


def _stands_in(line: Line, wanted: str) -> bool:
    return any(wanted in text.casefold() for text in (line.text, line.where, line.app, *line.more))


def _raw_lines(file: Path) -> Iterator[bytes]:
    """Whole lines; what is written at this moment is left out."""
    try:
        opened = file.open("rb")
    except FileNotFoundError:
        return
    with opened:
        for raw in opened:
            if raw.endswith(b"\n") and raw != b"\n":
                yield raw[:-1]


def _how_many(raw: Iterable[bytes], most: int) -> int:
    """How many of the first ones may stand together: one at least, when there is one."""
    count = size = 0
    for text in raw:
        size += len(text)
        if count == most or (count and size > MOST_BYTES):
            break
        count += 1
    return count


def _place_of(raw: list[bytes], number: int) -> int:
    """Where the line of a number stands. Numbers grow by one, but for lines that were torn."""
    place = min(max(0, number - 1), max(0, len(raw) - 1))
    while place > 0 and (found := _number(raw[place])) is not None and found > number:
        place -= 1
    while place < len(raw) - 1 and ((found := _number(raw[place])) is None or found < number):
        place += 1
    return place


def _number(raw: bytes) -> int | None:
    line = parse_line(raw)
    return line.number if line else None
