"""Docker's log files, as lines: one JSON object for each piece of at most 16 KiB that a container wrote. Pure.

    {"log":"a line\\n","stream":"stdout","time":"2026-11-29T02:08:57.123456789Z"}

All pieces of a chunk are parsed in one call: a call for each costs five times as much.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from operator import itemgetter

from deployd.process import LONGEST_LINE_BYTES

Entry = tuple[str, str, str]
"""(time without its Z, stream, text). As texts these times sort rightly, though zeros at their ends are left out."""
TIME = re.compile(rb',"time":"([0-9T:.-]+)Z"\}\n')
"""Quotation marks that a container wrote are escaped in the file, so it cannot write this."""
Piece = tuple[str, str, str]
fields = itemgetter("log", "stream", "time")
CUT_MARK = " […]"


class EntryReader:
    """Whole lines of one container's file in, lines that the container wrote out; very long ones are cut."""

    def __init__(self) -> None:
        self._open: dict[str, tuple[str, str]] = {}
        """{stream: (time, what there is of a line that has not ended)}"""

    @property
    def is_amid_a_line(self) -> bool:
        return bool(self._open)

    def end(self) -> list[Entry]:
        """What there is of lines that have not ended: a container ended, or asks something and waits."""
        found = [_cut(time, stream, text) for stream, (time, text) in self._open.items()]
        self._open = {}
        return found

    def feed(self, chunk: bytes) -> list[Entry]:
        pieces = _parsed(chunk)
        if not self._open and {log[-1:] for log, _, _ in pieces} <= {"\n"}:
            return [(time[:-1], stream, log[:-1]) for log, stream, time in pieces]
        return list(self._joined(pieces))

    def _joined(self, pieces: list[Piece]) -> Iterator[Entry]:
        for log, stream, time in pieces:
            text = self._open.pop(stream, ("", ""))[1] + log
            if text.endswith("\n"):
                yield _cut(time[:-1], stream, text[:-1])
            else:
                self._open[stream] = (time[:-1], text[:LONGEST_LINE_BYTES + 1])


def _cut(time: str, stream: str, text: str) -> Entry:
    is_long = len(text) > LONGEST_LINE_BYTES
    return time, stream, text[:LONGEST_LINE_BYTES] + CUT_MARK if is_long else text


def _parsed(chunk: bytes) -> list[Piece]:
    try:
        found = json.loads(b"[" + chunk.rstrip(b"\n").replace(b"\n", b",") + b"]")
        return list(map(fields, found))
    except (ValueError, KeyError, TypeError):   # something in it was torn by a full disk or a power cut
        return [piece for line in chunk.split(b"\n") if (piece := _parsed_line(line)) is not None]


def _parsed_line(line: bytes) -> Piece | None:
    try:
        log, stream, time = map(str, fields(json.loads(line.decode(errors="replace"))))
        return log, stream, time
    except (ValueError, KeyError, TypeError):
        return None
