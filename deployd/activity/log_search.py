"""What stands in a log: a text is searched in many lines at once, in any case of its letters. Pure.

Most blocks of a log do not have a rare word, and are passed over as a whole. A word that stands in every line would
have each of them read as JSON, which takes a second for a large log; so a line is looked at as it is written
(`line.py`), and read only when that does not decide.
"""

from __future__ import annotations

import json
from collections import deque

from deployd.activity.line import Line, parse_line
from deployd.activity.log_file import lines_of

BEFORE_TEXT, BEHIND_TEXT = '"text": "', '", "app": "'
"""In a line of the file. They cannot stand within a value, where quotation marks are written `\\"`."""
MOST_KNOWN = 1_000


class Search:
    def __init__(self, text: str, most: int, most_bytes: int) -> None:
        """
        Args:
            most: Lines that are kept, the last ones, and of no more than so many bytes together.
        """
        self._wanted = text.casefold()
        self._needle = json.dumps(self._wanted, ensure_ascii=False)[1:-1].encode("utf-8", "replace").decode()
        self._most, self._most_bytes = most, most_bytes
        self._kept: deque[bytes] = deque()
        self._size = 0
        self._known: dict[str, bool] = {}
        """{what stands behind a text: whether it stands in a value there}; there are few of them in a log."""
        self.count = 0

    def look_through(self, block: bytes) -> None:
        """Whole lines, behind those of the block before."""
        folded = block.decode("utf-8", "replace").casefold()
        if self._needle not in folded:
            return
        raw_lines = lines_of(block)
        folded_lines = [line for line in folded.split("\n") if line]
        for raw, line in zip(raw_lines, folded_lines, strict=True):
            if self._needle in line and self._stands_in(raw, line):
                self._keep(raw)

    def lines(self) -> list[Line]:
        """The last ones."""
        return [line for raw in self._kept if (line := parse_line(raw)) is not None]

    def _stands_in(self, raw: bytes, folded: str) -> bool:
        """Whether it is in a value, and not in what every line has."""
        _, _, text = folded.partition(BEFORE_TEXT)
        text, behind, rest = text.partition(BEHIND_TEXT)
        if "\\" in text or not behind:
            return self._is_in_value(raw)
        if self._needle in text:
            return True
        if self._needle not in rest:
            return False   # in its time, or its phase
        if rest not in self._known:
            if len(self._known) >= MOST_KNOWN:
                self._known.clear()
            self._known[rest] = self._is_in_value(raw)
        return self._known[rest]

    def _is_in_value(self, raw: bytes) -> bool:
        line = parse_line(raw)
        return line is not None and any(
            self._wanted in text.casefold() for text in (line.text, line.where, line.app, *line.more)
        )

    def _keep(self, raw: bytes) -> None:
        self.count += 1
        self._kept.append(raw)
        self._size += len(raw)
        while len(self._kept) > self._most or (self._size > self._most_bytes and len(self._kept) > 1):
            self._size -= len(self._kept.popleft())
