"""The last requests of an environment, and those that come: its access log as readers see it."""

from __future__ import annotations

import asyncio
import json
from collections import deque
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from deployd.upkeep.access_logs import older

LOOK_SECONDS = 1.0
CHUNK_BYTES = 256 * 1024
"""Taken at once: some hundred requests, which make a reader no memory and a thread no work to speak of."""
BLOCK_BYTES = 64 * 1024
AT_ONCE = 2
"""Chunks that are read at the same time, of all readers: the threads are for others too."""


class AccessTail:
    """Requests as JSON values, oldest first."""

    def __init__(self, file: Path, lines: int, turns: asyncio.Semaphore | None = None) -> None:
        """
        Args:
            lines: So many of the past.
            turns: Which all readers take for each chunk.
        """
        self._turns = turns or asyncio.Semaphore(AT_ONCE)
        self._file = file
        self._lines = lines
        self._past: deque[_Span] | None = None
        self._offset = 0
        self._ended = False

    async def rest(self) -> list[dict[str, Any]]:
        """What is there already, or a part of it, without waiting; empty when there is no more."""
        async with self._turns:
            return await asyncio.to_thread(self._next)

    async def take(self) -> list[dict[str, Any]] | None:
        """What comes; empty after a while of silence; None when it was ended."""
        if self._ended:
            return None
        found = await self.rest()
        if not found:
            await asyncio.sleep(LOOK_SECONDS)
            found = await self.rest()
        return found

    def end(self) -> None:
        """Let the reader stop: the daemon does."""
        self._ended = True

    def close(self) -> None:
        self._ended = True

    def _next(self) -> list[dict[str, Any]]:
        if self._past is None:
            self._past = deque(self._find_past())
        while self._past:
            span = self._past[0]
            lines = _whole_lines(span.file, span.begin, span.end)
            span.begin += len(lines)
            if not lines:
                self._past.popleft()
            elif found := _parsed(lines):
                return found
        return self._newer()

    def _newer(self) -> list[dict[str, Any]]:
        try:
            size = self._file.stat().st_size
        except FileNotFoundError:
            return []
        if size < self._offset:   # a full one went, this is a new one
            self._offset = 0
        lines = _whole_lines(self._file, self._offset, size)
        self._offset += len(lines)
        return _parsed(lines)

    def _find_past(self) -> list[_Span]:
        """Where the last lines stand, those of the older file first."""
        here = _last_lines(self._file, self._lines)
        self._offset = here.end
        if here.lines >= self._lines:
            return [here]
        return [_last_lines(older(self._file), self._lines - here.lines), here]


@dataclass
class _Span:
    """Lines of a file that are still to be read."""

    file: Path
    begin: int
    end: int
    lines: int


def _last_lines(file: Path, count: int) -> _Span:
    """Nothing is kept of what is looked through: there may be a hundred thousand lines, and many readers."""
    try:
        with file.open("rb") as found:
            end = at = found.seek(0, 2)
            seen = 0
            while at > 0:
                size = min(BLOCK_BYTES, at)
                at -= size
                found.seek(at)
                block = found.read(size)
                breaks = block.count(b"\n")
                if seen + breaks > count:
                    return _Span(file, at + _after_break(block, count - seen + 1), end, count)
                seen += breaks
            return _Span(file, 0, end, seen)
    except FileNotFoundError:
        return _Span(file, 0, 0, 0)


def _after_break(block: bytes, number: int) -> int:
    """Behind which byte of a block a line begins; its breaks are counted from the end."""
    at = len(block)
    for _ in range(number):
        at = block.rfind(b"\n", 0, at)
    return at + 1


def _whole_lines(file: Path, begin: int, end: int) -> bytes:
    """What stands there, no more than a chunk, up to the end of its last line."""
    try:
        with file.open("rb") as found:
            found.seek(begin)
            text = found.read(min(CHUNK_BYTES, end - begin))
    except FileNotFoundError:
        return b""
    return text[:text.rfind(b"\n") + 1]


def _parsed(text: bytes) -> list[dict[str, Any]]:
    found = []
    for line in text.splitlines():
        try:
            # Addresses are whatever clients send; a request that ended without a status has the number 000.
            found.append(json.loads(line.replace(b'"status":000', b'"status":0').decode(errors="replace")))
        except ValueError:   # cut by a full disk
            continue
    return found
