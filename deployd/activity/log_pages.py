"""A log that is read in pieces: its end, from a line on, or where something stands in it. Blocking.

A whole log has 20 MB at most (`log.py`), and is looked through in some tens of milliseconds; only the lines that are
wanted are read as JSON.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path

from deployd.activity.line import Line, parse_line, render_line

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
    raw = _raw_lines(file)
    first = max(0, len(raw) - most) if start is None else _place_of(raw, start)
    chosen = raw[first:first + most]
    phases = [line for text in raw if PHASE_MARK in text and (line := parse_line(text)) and line.kind == "phase"]
    return LogPage(
        tuple(line for text in chosen if (line := parse_line(text)) is not None), first,
        len(raw) - first - len(chosen), tuple(PhaseStart(line.text, line.number, line.at) for line in phases),
    )


def find_lines(file: Path, text: str, most: int) -> tuple[list[Line], int]:
    """(the last lines in which it stands, how many there are in all); upper and lower case are the same."""
    wanted = text.casefold()
    needle = json.dumps(wanted, ensure_ascii=False)[1:-1].encode("utf-8", "replace")
    candidates = [raw for raw in _raw_lines(file) if needle in raw.decode("utf-8", "replace").casefold().encode()]
    found = [line for raw in candidates if (line := parse_line(raw)) and _stands_in(line, wanted)]
    return found[-most:], len(found)


def plain_lines(file: Path) -> bytes:
    """The whole log as plain text, as `deployd log` shows it."""
    lines = (line for raw in _raw_lines(file) if (line := parse_line(raw)) is not None)
    return "".join(f"{text}\n" for line in lines for text in render_line(line)).encode("utf-8", "replace")


def _stands_in(line: Line, wanted: str) -> bool:
    return any(wanted in text.casefold() for text in (line.text, line.where, line.app, *line.more))


def _raw_lines(file: Path) -> list[bytes]:
    """Whole lines; what is written at this moment is left out."""
    try:
        *whole, _ = file.read_bytes().split(b"\n")
    except FileNotFoundError:
        return []
    return [raw for raw in whole if raw]


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
