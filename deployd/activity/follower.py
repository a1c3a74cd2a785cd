"""A reader of a growing activity log, as slow as it likes: it reads the file, and is woken when there is more."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from pathlib import Path

from deployd.activity.line import Line, parse_line
from deployd.activity.log_file import open_log, place_of
from deployd.ids import ActivityId
from deployd.state import activities, bad_releases
from deployd.state.store import Store

HEARTBEAT_SECONDS = 10.0
LAST_LINE_SECONDS = 0.5
"""From an activity's end in the database to its last line in the log; without that its end is told in other words."""
READ_BYTES = 32 * 1024
"""Read at once: what a reader who takes nothing any more keeps is not much more than this."""


@dataclass(frozen=True, slots=True)
class End:
    """How an activity ended."""

    state: str
    said: str
    at: str
    back: ActivityId | None = None
    """What brings the version before back, when the activity made a bad release."""


HowEnded = Callable[[ActivityId], Awaitable[End | None]]
"""None: it has not ended."""


class Follower:
    """A reader of a growing log."""

    def __init__(
        self, path: Path, event: asyncio.Event, after: int, forget: Callable[[], None], stopping: Callable[[], bool],
        how_ended: Callable[[], Awaitable[End | None]], recent: Callable[[int], list[Line] | None] = lambda after: None,
    ) -> None:
        """
        Args:
            recent: Lines behind one that are in memory still; None: the file has to be read.
        """
        self._recent = recent
        self._asked = -HEARTBEAT_SECONDS   # how it ended
        self._path = path
        self._event = event
        self._after = after
        self._forget = forget
        self._stopping = stopping
        self._how_ended = how_ended
        self._offset = 0
        self._rest = b""
        self._read_to = 0
        """The last line that came from the file."""
        self._over = False

    async def take(self, silence_seconds: float | None = None) -> list[Line] | None:
        """Further lines, oldest first; empty after some seconds of silence; None after the last one."""
        if self._over:
            self.close()
            return None
        self._event.clear()   # before the reading: what is written after it wakes us
        lines = await self._look()
        if lines or self._over:
            return lines or await self.take(silence_seconds)
        if self._stopping():
            self.close()
            return None
        try:
            async with asyncio.timeout(silence_seconds or HEARTBEAT_SECONDS):
                await self._event.wait()
        except TimeoutError:
            return []
        return await self._look()

    async def rest(self) -> list[Line]:
        """Further lines that are there already, without waiting; empty when there are no more."""
        return await self._look()

    def close(self) -> None:
        self._forget()

    async def _look(self) -> list[Line]:
        """What is new in the file; in silence, and for an activity that has ended, its end."""
        remembered = self._remembered()
        now = asyncio.get_running_loop().time()
        if remembered is None:
            lines = await asyncio.to_thread(self._read)
            if lines or self._over:
                return lines
        elif remembered or now - self._asked < HEARTBEAT_SECONDS:   # it is written now: its end comes as a line, mostly
            return remembered
        self._asked = now
        end = await self._how_ended()
        if end is None:
            return []
        for pause in (0.0, LAST_LINE_SECONDS):   # its last line may have come while we asked, or comes now
            await asyncio.sleep(pause)
            lines = await asyncio.to_thread(self._read)
            if lines or self._over:
                return lines
        self._over = True
        said = f"{end.state}: {end.said}" if end.said else end.state
        return [Line(self._after + 1, end.at, "end", "", said, where=end.state)]

    def _remembered(self) -> list[Line] | None:
        """What is new, without the file; None: that has to be read."""
        new = self._recent(self._after)
        if new:
            self._note(new)
        return new

    def _note(self, new: list[Line]) -> None:
        self._after = new[-1].number
        self._over = self._over or any(line.kind == "end" for line in new)

    def _read(self) -> list[Line]:
        """Some of what is new in the file; empty when nothing is."""
        with open_log(self._path) as file:
            if self._read_to != self._after:   # others were in memory, or it begins within the log
                # With the last one that is known: it may be the end.
                self._offset, self._rest = place_of(file, self._after), b""
            file.seek(self._offset)
            while data := file.read(READ_BYTES):
                self._offset += len(data)
                *whole, self._rest = (self._rest + data).split(b"\n")
                lines = [line for raw in whole if (line := parse_line(raw)) is not None]
                self._over = self._over or any(line.kind == "end" for line in lines)
                if new := [line for line in lines if line.number > self._after]:
                    self._note(new)
                    self._read_to = self._after
                    return new
        return []


def endings(store: Store) -> HowEnded:
    """How activities ended, from the database: a log may have no last line."""
    async def how_ended(activity: ActivityId) -> End | None:
        found = await store.read(lambda db: activities.find(db, activity))
        if found is None or found.ended_at is None:
            return None
        bad = await store.read(lambda db: bad_releases.find(db, activity))
        return End(found.state, found.reason, found.ended_at.isoformat(), bad.back if bad is not None else None)
    return how_ended
