"""The last lines of a log that is written now, in memory: hundreds who follow it do not read its file at each line."""

from __future__ import annotations

from collections import deque

from deployd.activity.line import Line

MOST_LINES, MOST_CHARACTERS = 2_000, 500_000
AT_ONCE_LINES, AT_ONCE_CHARACTERS = 200, 32_000
"""Handed on together: who takes nothing any more keeps no more than that."""


class RecentLines:
    """Lines whose numbers follow each other."""

    def __init__(self) -> None:
        self._lines: deque[Line] = deque()
        self._size = 0

    def append(self, line: Line) -> None:
        self._lines.append(line)
        self._size += _size_of(line)
        while len(self._lines) > MOST_LINES or (self._size > MOST_CHARACTERS and len(self._lines) > 1):
            self._size -= _size_of(self._lines.popleft())

    def since(self, number: int) -> list[Line] | None:
        """Some of the lines behind the one of this number, the oldest of them; None: some are not here any more."""
        lines = self._lines
        if not lines or lines[0].number > number + 1:
            return None
        new: list[Line] = []
        size = 0
        # From the end: it is the last line that hundreds ask for, and what lies in the middle is far.
        for place in range(max(0, len(lines) - (lines[-1].number - number)), len(lines)):
            if len(new) == AT_ONCE_LINES or size > AT_ONCE_CHARACTERS:
                break
            new.append(lines[place])
            size += _size_of(lines[place])
        return new


def _size_of(line: Line) -> int:
    return len(line.text) + sum(map(len, line.more)) + 16 * len(line.colours)
