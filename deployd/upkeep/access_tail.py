"""The last requests of an environment, and those that come: its access log as readers see it."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path
from typing import Any

from deployd.upkeep.access_logs import older

LOOK_SECONDS = 1.0
BLOCK_BYTES = 64 * 1024


class AccessTail:
    """Requests as JSON values, oldest first."""

    def __init__(self, file: Path, lines: int) -> None:
        """
        Args:
            lines: So many of the past.
        """
        self._file = file
        self._lines = lines
        self._offset = 0
        self._begun = self._ended = False

    async def rest(self) -> list[dict[str, Any]]:
        """What is there already, without waiting; empty when there is no more."""
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
        if not self._begun:
            self._begun = True
            return self._past()
        try:
            with self._file.open("rb") as found:
                found.seek(0, 2)
                if found.tell() < self._offset:   # a full one went, this is a new one
                    self._offset = 0
                found.seek(self._offset)
                text = found.read()
        except FileNotFoundError:
            return []
        whole = text[:text.rfind(b"\n") + 1]
        self._offset += len(whole)
        return _parsed(whole.splitlines())

    def _past(self) -> list[dict[str, Any]]:
        try:
            self._offset = self._file.stat().st_size
        except FileNotFoundError:
            self._offset = 0
        lines = _last_lines(self._file, self._lines, self._offset)
        if len(lines) < self._lines:
            lines = _last_lines(older(self._file), self._lines - len(lines), None) + lines
        return _parsed(lines)


def _last_lines(file: Path, count: int, end: int | None) -> list[bytes]:
    try:
        with file.open("rb") as found:
            at = found.seek(0, 2) if end is None else end
            blocks, breaks = [], 0
            while at > 0 and breaks <= count:
                size = min(BLOCK_BYTES, at)
                at -= size
                found.seek(at)
                blocks.append(found.read(size))
                breaks += blocks[-1].count(b"\n")
    except FileNotFoundError:
        return []
    return b"".join(reversed(blocks)).splitlines()[-count:] if count else []


def _parsed(lines: list[bytes]) -> list[dict[str, Any]]:
    found = []
    for line in lines:
        try:
            # Addresses are whatever clients send; a request that ended without a status has the number 000.
            found.append(json.loads(line.replace(b'"status":000', b'"status":0').decode(errors="replace")))
        except ValueError:   # cut by a full disk
            continue
    return found
