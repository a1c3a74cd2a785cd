"""A reader of all that an environment prints, in the order in which it was printed, whoever printed it.

    each source ──► a piece of its file, parsed, cleaned ──► held ──┐
                                                                    ├─► sorted by time ──► the reader
    each other one ─────────────────────────────────────────► held ─┘

What was read in this round waits for the next one when nothing as young was read in the one before: so a line of
another container that is a little older, and comes a little later, still stands before it. No clock is asked. A place
is the time of a line: who was cut off asks for what is younger than the last line that came.
"""

from __future__ import annotations

import asyncio
import heapq
import json
import threading
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from operator import itemgetter

from deployd.output.reader import Clean, Reader, last_times_of
from deployd.output.sources import Source

LOOK_SECONDS = 0.25
HEARTBEAT_SECONDS = 10.0
MOST_BYTES = 4 * 1024 * 1024
"""Read in one round, of all sources together; five times as much memory when it is parsed."""
MOST_OF_ONE_BYTES, LEAST_OF_ONE_BYTES = 256 * 1024, 64 * 1024
OF_MANY = 4
"""So many readers may read as much as they like, each."""
PATIENCE = 4
"""Rounds, for the end of a line that was printed in part."""
MOST_HELD = 20_000
"""Lines of one source that wait for those of others."""
AT_ONCE = 1
"""Rounds at the same time, of all readers: each keeps the interpreter busy for some milliseconds."""

FindSources = Callable[[], Awaitable[list[Source] | None]]
"""None: they are as they were."""


@dataclass(frozen=True, slots=True)
class Span:
    """Which lines are asked for. Times are ISO 8601 in UTC, without their Z."""

    start: str
    """No line that is older; empty: all."""
    end: str
    """`rest` gives no line that is younger: a container that prints without end has no last line."""
    lines: int | None = None
    """The last ones only, and those that come; None: all."""


class OutputFollower:
    """Lines of JSON, many at once."""

    def __init__(
        self, find: FindSources, whose: tuple[str, str], clean: Clean, turns: asyncio.Semaphore, span: Span, *,
        look_seconds: float = LOOK_SECONDS, readers: Callable[[], int] = lambda: 1,
    ) -> None:
        """
        Args:
            whose: Project and environment.
            readers: How many there are, of all environments: a round of one reads less when there are many, because
                what it read is kept until it is taken.
        """
        self._all_readers = readers
        self._find = find
        self._whose = json.dumps({"project": whose[0], "environment": whose[1]})[1:-1]
        self._clean = clean
        self._turns = turns
        self._start, self._end, self._lines = span.start, span.end, span.lines
        self._look_seconds = look_seconds
        self._readers: dict[str, Reader] = {}
        self._read_up: set[str] = set()
        """Sources that do not grow any more and were read to their end."""
        self._growing: set[str] = set()
        self._reading = threading.Lock()
        self._newest = ""
        """Time of the youngest line of the round before."""
        self._ended = asyncio.Event()

    async def rest(self) -> bytes:
        """What is there already, or a part of it; empty when there is no more."""
        while not self._ended.is_set():
            found = await self._round(follow=False)
            if found or not self._has_more:
                return found
        return b""

    async def take(self) -> bytes | None:
        """What comes; empty after a while of silence; None when it was ended."""
        silence = 0.0
        while not self._ended.is_set():
            if found := await self._round(follow=True):
                return found
            if silence >= HEARTBEAT_SECONDS:
                return b""
            if not self._has_more:
                silence += self._look_seconds
                await self._pause()
        return None

    def end(self) -> None:
        """Let the reader stop: the daemon does."""
        self._ended.set()

    def close(self) -> None:
        """At once, or when the round that a thread is at has ended: it outlives a reader who left."""
        self._ended.set()
        if not self._reading.acquire(blocking=False):
            asyncio.get_running_loop().call_later(self._look_seconds, self.close)
            return
        for reader in self._readers.values():
            reader.close()
        self._readers = {}
        self._reading.release()

    @property
    def _has_more(self) -> bool:
        return any(reader.has_more for reader in self._readers.values())

    async def _pause(self) -> None:
        try:
            async with asyncio.timeout(self._look_seconds):
                await self._ended.wait()
        except TimeoutError:
            pass

    async def _round(self, *, follow: bool) -> bytes:
        sources = await self._find()
        async with self._turns:
            began = time.perf_counter()
            found = await asyncio.to_thread(self._read, sources, follow)
            if self._has_more:   # of the interpreter no more than half, however much is printed and however many read
                await asyncio.sleep(time.perf_counter() - began)
            return found

    def _read(self, sources: list[Source] | None, follow: bool) -> bytes:
        with self._reading:
            if self._ended.is_set():
                return b""
            if sources is not None:
                self._meet(sources)
            self._fill(follow=follow)
            horizon = self._horizon(follow=follow)
            rows = [row for reader in self._readers.values() for row in reader.take(horizon)]
            self._leave()
        if not follow:
            rows = [row for row in rows if row[0] <= self._end]
        rows.sort(key=itemgetter(0))
        return "".join([line for _, line in rows]).encode()

    def _fill(self, *, follow: bool) -> None:
        parts = max(len(self._readers), 1) * max(self._all_readers() // OF_MANY, 1)
        share = min(max(MOST_BYTES // parts, LEAST_OF_ONE_BYTES), MOST_OF_ONE_BYTES)
        for reader in self._readers.values():
            if not follow and reader.newest > self._end:
                reader.has_more = False
            elif len(reader.held) < MOST_HELD:
                reader.fill(share, PATIENCE if follow else 0)

    def _leave(self) -> None:
        """Close what will not grow any more and was read to its end."""
        for name, reader in [*self._readers.items()]:
            if name not in self._growing and not reader.held and reader.is_at_end:
                reader.close()
                self._read_up.add(name)
                del self._readers[name]

    def _horizon(self, *, follow: bool) -> str | None:
        """Up to when all that was printed is here; None: whatever is here."""
        unread = [reader.held[-1][0] for reader in self._readers.values() if reader.has_more and reader.held]
        before, self._newest = self._newest, max(
            (reader.held[-1][0] for reader in self._readers.values() if reader.held), default="",
        )
        if not follow:
            return min(unread, default=None)
        return min([before, *unread])

    def _meet(self, sources: list[Source]) -> None:
        if self._lines is not None:
            self._start = max(self._start, self._start_of_last(sources, self._lines))
            self._lines = None
        self._growing = {source.id for source in sources if source.grows}
        for source in sources:
            if source.id not in self._readers and source.id not in self._read_up:
                self._readers[source.id] = Reader(source, self._whose, self._start, self._clean)

    def _start_of_last(self, sources: list[Source], count: int) -> str:
        """Since when the last lines of all together were written."""
        if count == 0:
            return self._end
        newest: list[str] = []
        for source in sources:
            newest = heapq.nlargest(count, [*newest, *last_times_of(source, count)])
        return newest[-1] if len(newest) >= count else ""
