"""The activity log: what a person reads of an activity, written once, read by pusher, API and CLI.

One file of JSON lines for each activity: masked, numbered, bounded. A follower reads the file and is woken when there
is more, so a slow one loses nothing and holds up nobody.
Surprise: lines are written without waiting. It is one `write` into the page cache, and whoever tells is often a
callback that cannot wait; a line survives the daemon's death, though not the host's. A line that cannot be written (the
disk is full) is lost and counted: a deployment does not fail for its log.
"""

from __future__ import annotations

import asyncio
import os
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

import structlog

from deployd.activity.colours import coloured
from deployd.activity.follower import End, Follower, HowEnded
from deployd.activity.line import Line, write_line
from deployd.activity.log_pages import printed_after
from deployd.activity.masking import Masker
from deployd.activity.recent_lines import RecentLines
from deployd.clock import Clock
from deployd.errors import DeployError
from deployd.ids import ActivityId

log = structlog.get_logger()

LARGEST_LOG_BYTES = 60_000_000
"""Some 250,000 lines, as programs write them."""
LONGEST_TEXT = 16_000
READ_BYTES = 1_000_000


class Tell:
    """What the steps of one activity say to people."""

    def __init__(
        self, path: Path, clock: Clock, masker: Masker, written: Callable[[Line], None],
        now: Callable[[str], None] = lambda phase: None,
    ) -> None:
        """
        Args:
            written: Called with each line that stands in the file.
            now: Called with the phase that begins; empty: there is none any more.
        """
        self._path = path
        self._now = now
        self._clock = clock
        self._masker = masker
        self._written = written
        path.parent.mkdir(parents=True, exist_ok=True)
        self._file = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC, 0o600)
        self._bytes = os.fstat(self._file).st_size
        self._number, self._torn = _lines_in(path)
        self._full = False
        self._lost = 0
        self._phase = ""
        self._untold = False
        """The phase has begun, and nothing was said in it."""

    def phase(self, phase: str, *, at_once: bool = True) -> None:
        """A phase begins. It is told at once, or with the first thing that is said in it."""
        self._phase = phase
        self._now(phase)
        self._untold = not at_once
        if at_once:
            self._write("phase", phase)

    def line(self, text: str, *, app: str = "", stream: str = "") -> None:
        """Something that happened; with a stream, a line that a program wrote."""
        self._write("output" if stream else "line", text, app=app)

    async def program(self, title: str, *, app: str, goes_on: bool) -> Callable[[str], None]:
        """A program runs. What is given back takes its lines, from the first one on.

        Args:
            goes_on: It was begun earlier, by a daemon that was killed maybe: what it said until then stands here
                already and is not written again, and neither is `title`.
        """
        known = await asyncio.to_thread(printed_after, self._path, self.clean(title), app) if goes_on else None
        if known is None:
            self.line(title, app=app)
        left = known or 0

        def on_line(text: str) -> None:
            nonlocal left
            if left:
                left -= 1
            else:
                self.line(text, app=app, stream="output")

        return on_line

    def progress(self, done: int, of: int, what: str = "") -> None:
        self._write("line", f"{done} of {of} {what}".rstrip())

    def warn(self, text: str, evidence: tuple[str, ...] = ()) -> None:
        """What somebody should know, with what was seen."""
        self._write("warn", text, more=tuple(f"| {line}" for line in evidence))

    def done(self, text: str) -> None:
        self._write("done", text)

    def error(self, error: DeployError) -> None:
        """What went wrong, where, what was seen and how to mend it."""
        more = tuple(f"| {line}" for line in error.evidence) + ((f"hint: {error.hint}",) if error.hint else ())
        self._write("error", error.what, where=error.where, more=more)

    def held(self, text: str, *, hint: str) -> None:
        """It waits until somebody lets it go on; whoever pushed is told so and need not look on."""
        self._write("held", text, more=(f"hint: {hint}",))

    def end(self, state: str, text: str) -> None:
        """The last line: how the activity ended."""
        self._write("end", text, where=state)

    def clean(self, text: str) -> str:
        """A text as it may stand in the log, and wherever else people read what became of the activity."""
        return self._masker.clean(text)

    def close(self) -> None:
        self._now("")
        os.close(self._file)

    def _write(self, kind: str, text: str, *, app: str = "", where: str = "", more: tuple[str, ...] = ()) -> None:
        if self._full and kind == "output":
            return
        if self._untold and kind != "end":
            self._untold = False
            self._write("phase", self._phase)
        if self._bytes > LARGEST_LOG_BYTES and kind == "output":
            self._full, kind, text = True, "warn", f"the log has {LARGEST_LOG_BYTES:,} bytes: the rest is cut"
        if self._lost and kind != "warn":
            lost = self._lost
            self._write("warn", f"{lost} lines are missing here: they could not be written")
            self._lost = 0 if self._lost == lost else lost
        self._number += 1
        shown = _short(self.clean(text))
        plain, colours = coloured(text) if kind == "output" else (shown, ())
        line = Line(
            self._number, self._clock.now().isoformat(), kind, self._phase, shown, app,
            self.clean(where), tuple(_short(self.clean(item)) for item in more),
            colours if plain == shown else (),   # a secret was masked: they would lie elsewhere now
        )
        if self._append(write_line(line) + b"\n"):
            self._written(line)

    def _append(self, data: bytes) -> bool:
        """One line, whole, or False. What an earlier one left torn ends with a line break of its own."""
        if self._torn:
            data = b"\n" + data
        try:
            written = os.write(self._file, data)
        except OSError as error:
            written = 0
            if not self._lost:
                log.warning("log_lines_lost", path=str(self._path), why=error.strerror)
        self._bytes += written
        if written < len(data):
            self._torn = self._torn or written > 0
            self._number -= 1
            self._lost += 1
            return False
        self._torn = False
        return True


@dataclass(frozen=True, slots=True)
class PhaseNow:
    phase: str
    since: datetime


async def _unknown(activity: ActivityId) -> End | None:
    return None


class Logs:
    """All activity logs of a daemon."""

    def __init__(
        self, folder: Path, clock: Clock, masker: Masker | None = None, how_ended: HowEnded = _unknown,
    ) -> None:
        """
        Args:
            how_ended: Asked in silence, so that a follower ends with an activity that wrote no last line: one that was
                superseded while it waited has no log at all.
        """
        self.folder = folder
        self._how_ended = how_ended
        self._clock = clock
        self._masker = masker or Masker(())
        self._followers: dict[ActivityId, set[asyncio.Event]] = {}
        self._phases: dict[ActivityId, PhaseNow] = {}
        self._recent: dict[ActivityId, RecentLines] = {}
        """Of what is written now, so that hundreds who follow a log do not read its file at each line."""
        self.stopping = False
        """The daemon stops: followers end before their activities do."""

    def go_on_with(self, masker: Masker, how_ended: HowEnded) -> None:
        """The settings were read again: other secrets, another way to the database. Who follows a log goes on."""
        self._masker, self._how_ended = masker, how_ended

    def wait(self) -> None:
        """There is no database to ask for now."""
        self._how_ended = _unknown

    async def how_ended(self, activity: ActivityId) -> End | None:
        """None: it has not, or there is no database to ask for now."""
        return await self._how_ended(activity)

    def open(self, activity: ActivityId) -> Tell:
        """The log of an activity, to write; goes on where it ended."""
        return Tell(
            self.path(activity), self._clock, self._masker, lambda line: self._note_line(activity, line),
            lambda phase: self._note_phase(activity, phase),
        )

    def phase(self, activity: ActivityId) -> PhaseNow | None:
        """What an activity does now; None: nothing, or it has not said so yet."""
        return self._phases.get(activity)

    def _note_line(self, activity: ActivityId, line: Line) -> None:
        self._recent.setdefault(activity, RecentLines()).append(line)
        self._wake(activity)

    def _note_phase(self, activity: ActivityId, phase: str) -> None:
        if phase:
            self._phases[activity] = PhaseNow(phase, self._clock.now())
        else:   # it is written no more
            self._phases.pop(activity, None)
            self._recent.pop(activity, None)

    def path(self, activity: ActivityId) -> Path:
        return self.folder / f"{activity}.jsonl"

    def follow(self, activity: ActivityId, after: int = 0) -> Follower:
        """Read a log to its end and further, as it grows.

        Args:
            after: Number of the last line that is known already.
        """
        event = asyncio.Event()
        self._followers.setdefault(activity, set()).add(event)
        return Follower(
            self.path(activity), event, after, lambda: self._forget(activity, event), lambda: self.stopping,
            lambda: self._how_ended(activity), lambda after: self._recent_since(activity, after),
        )

    def _recent_since(self, activity: ActivityId, after: int) -> list[Line] | None:
        recent = self._recent.get(activity)
        return recent.since(after) if recent is not None else None

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


def _short(text: str) -> str:
    return text if len(text) <= LONGEST_TEXT else text[:LONGEST_TEXT] + " […]"


def _lines_in(path: Path) -> tuple[int, bool]:
    """How many lines the file has, and whether its last one is torn. Read in blocks, once when an activity goes on."""
    count, last = 0, b"\n"
    with path.open("rb") as file:
        for block in iter(lambda: file.read(READ_BYTES), b""):
            count += block.count(b"\n")
            last = block[-1:]
    return count, last != b"\n"
