"""The activity log: what a person reads of an activity, written once, read by pusher, API and CLI.

One file of JSON lines for each activity: masked, numbered, bounded. A follower reads the file and is woken when there
is more, so a slow one loses nothing and holds up nobody.
Surprise: lines are written without waiting. It is one `write` into the page cache, and whoever tells is often a
callback that cannot wait; a line survives the daemon's death, though not the host's.
"""

from __future__ import annotations

import asyncio
import json
import os
from collections.abc import Callable
from dataclasses import asdict, dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from deployd.activity.masking import Masker
from deployd.clock import Clock
from deployd.errors import DeployError
from deployd.ids import ActivityId

LARGEST_LOG_BYTES = 20_000_000
LONGEST_TEXT = 16_000
HEARTBEAT_SECONDS = 10.0
READ_BYTES = 1_000_000


@dataclass(frozen=True, slots=True)
class Line:
    """One line of an activity's log."""

    number: int
    at: str
    """ISO 8601, UTC."""
    kind: str
    """`phase`, `line`, `output`, `warn`, `done`, `error` or `end`."""
    phase: str
    text: str
    app: str = ""
    where: str = ""
    more: tuple[str, ...] = ()
    """Evidence and mend of an error."""


class Tell:
    """What the steps of one activity say to people."""

    def __init__(self, path: Path, clock: Clock, masker: Masker, wake: Callable[[], None]) -> None:
        self._clock = clock
        self._masker = masker
        self._wake = wake
        path.parent.mkdir(parents=True, exist_ok=True)
        self._file = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC, 0o600)
        self._bytes = os.fstat(self._file).st_size
        self._number = _lines_in(path)
        self._full = False
        self._phase = ""

    def phase(self, phase: str) -> None:
        """A phase begins."""
        self._phase = phase
        self._write("phase", phase)

    def line(self, text: str, *, app: str = "", stream: str = "") -> None:
        """Something that happened; with a stream, a line that a program wrote."""
        self._write("output" if stream else "line", text, app=app)

    def progress(self, done: int, of: int, what: str = "") -> None:
        self._write("line", f"{done} of {of} {what}".rstrip())

    def warn(self, text: str) -> None:
        self._write("warn", text)

    def done(self, text: str) -> None:
        self._write("done", text)

    def error(self, error: DeployError) -> None:
        """What went wrong, where, what was seen and how to mend it."""
        more = tuple(f"| {line}" for line in error.evidence) + ((f"mend: {error.mend}",) if error.mend else ())
        self._write("error", error.what, where=error.where, more=more)

    def end(self, state: str, text: str) -> None:
        """The last line: how the activity ended."""
        self._full = False
        self._write("end", text, where=state)

    def close(self) -> None:
        os.close(self._file)

    def _write(self, kind: str, text: str, *, app: str = "", where: str = "", more: tuple[str, ...] = ()) -> None:
        if self._full:
            return
        if self._bytes > LARGEST_LOG_BYTES and kind == "output":
            self._full, kind, text = True, "warn", f"the log has {LARGEST_LOG_BYTES:,} bytes: the rest is cut"
        self._number += 1
        shown = text if len(text) <= LONGEST_TEXT else text[:LONGEST_TEXT] + " […]"
        line = Line(
            self._number, self._clock.now().isoformat(), kind, self._phase, self._masker.mask(shown), app, where,
            tuple(self._masker.mask(item) for item in more),
        )
        data = json.dumps(asdict(line), ensure_ascii=False).encode("utf-8", "replace") + b"\n"
        self._bytes += os.write(self._file, data)
        self._wake()


class Logs:
    """All activity logs of a daemon."""

    def __init__(self, folder: Path, clock: Clock, masker: Masker) -> None:
        self._folder = folder
        self._clock = clock
        self._masker = masker
        self._followers: dict[ActivityId, set[asyncio.Event]] = {}
        self.stopping = False
        """The daemon stops: followers end before their activities do."""

    def open(self, activity: ActivityId) -> Tell:
        """The log of an activity, to write; goes on where it ended."""
        return Tell(self.path(activity), self._clock, self._masker, lambda: self._wake(activity))

    def path(self, activity: ActivityId) -> Path:
        return self._folder / f"{activity}.jsonl"

    def follow(self, activity: ActivityId, after: int = 0) -> Follower:
        """Read a log to its end and further, as it grows.

        Args:
            after: Number of the last line that is known already.
        """
        event = asyncio.Event()
        self._followers.setdefault(activity, set()).add(event)
        return Follower(self.path(activity), event, after, lambda: self._forget(activity, event), lambda: self.stopping)

    def end_followers(self) -> None:
        """Let every follower read what is there and end."""
        self.stopping = True
        for activity in list(self._followers):
            self._wake(activity)

    def _wake(self, activity: ActivityId) -> None:
        for event in self._followers.get(activity, ()):
            event.set()

    def _forget(self, activity: ActivityId, event: asyncio.Event) -> None:
        followers = self._followers.get(activity, set())
        followers.discard(event)
        if not followers:
            self._followers.pop(activity, None)


class Follower:
    """A reader of a growing log."""

    def __init__(
        self, path: Path, event: asyncio.Event, after: int, forget: Callable[[], None], stopping: Callable[[], bool],
    ) -> None:
        self._path = path
        self._event = event
        self._after = after
        self._forget = forget
        self._stopping = stopping
        self._offset = 0
        self._rest = b""
        self._ended = False

    async def take(self) -> list[Line] | None:
        """Further lines, oldest first; empty after some seconds of silence; None after the last one."""
        if self._ended:
            self.close()
            return None
        self._event.clear()   # before the reading: what is written after it wakes us
        lines = await asyncio.to_thread(self._read)
        if lines:
            return lines
        if self._stopping():
            self.close()
            return None
        try:
            async with asyncio.timeout(HEARTBEAT_SECONDS):
                await self._event.wait()
        except TimeoutError:
            return []
        return await asyncio.to_thread(self._read)

    def close(self) -> None:
        self._forget()

    def _read(self) -> list[Line]:
        try:
            with self._path.open("rb") as file:
                file.seek(self._offset)
                data = file.read(READ_BYTES)
        except FileNotFoundError:
            return []
        self._offset += len(data)
        *whole, self._rest = (self._rest + data).split(b"\n")
        lines = [parse_line(raw) for raw in whole if raw]
        self._ended = self._ended or any(line.kind == "end" for line in lines)
        return [line for line in lines if line.number > self._after]


def parse_line(raw: bytes | str) -> Line:
    """A line of the file as a value."""
    values: dict[str, Any] = json.loads(raw)
    return Line(**{**values, "more": tuple(values["more"])})


def _lines_in(path: Path) -> int:
    """How many lines the file has. Read in blocks, once when an activity begins or goes on."""
    with path.open("rb") as file:
        return sum(block.count(b"\n") for block in iter(lambda: file.read(READ_BYTES), b""))


def at(line: Line) -> datetime:
    return datetime.fromisoformat(line.at)
