"""A world for the machine, in memory: a table of steps, what they leave, and a journal that outlives a crash.

A script says what happens at the n-th try of a step: `fail`, `bug`, `again` (Transient), `away` (an error of a kind
that goes away), `over` (its limit), `cancel` (one comes while it runs), `late` (the same, but the step ends well all
the same), `crash` (the daemon dies in it), `doubt` (done, but nobody heard), `refused` (certainly not done), `nap` (it
takes ten seconds), `hold` (it finds that the activity has to wait for somebody).
Undos are scripted the same way, as `-step`.
"""

import asyncio
from collections import defaultdict
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from types import SimpleNamespace
from typing import Any

from deployd.activity.admission import BUILDS, DEPLOYMENTS, NOTHING_MORE, Admission, Need, Pool
from deployd.activity.cancellation import Cancellation, Hold
from deployd.activity.journal import CANCELLATION, Journal, check_succession
from deployd.activity.limits import Limits
from deployd.activity.machine import Finish
from deployd.activity.runner import Run, run
from deployd.activity.slots import Slots
from deployd.activity.table import (
    AGAIN,
    AS_BEFORE,
    ATTACH,
    HELD,
    NO_WAY_BACK,
    NOTHING,
    ON_NEW,
    RELEASED,
    Step,
    Table,
)
from deployd.errors import DeployError, Transient
from deployd.state.entries import Entry

STARTED_AT = datetime(2026, 1, 1, tzinfo=UTC)


class LoopClock:
    """The time of day moves with the loop's."""

    def now(self) -> datetime:
        return STARTED_AT + timedelta(seconds=asyncio.get_running_loop().time())


class Crash(BaseException):
    """The daemon is killed here."""


class NotDone(DeployError):
    certainly_not_done = True


class Away(DeployError):
    again_in_seconds = 3.0


@dataclass(frozen=True)
class Gave:
    step: str


class MemoryJournal:
    """Keeps what was acknowledged. Can die before or after a write becomes durable."""

    def __init__(self, clock: LoopClock) -> None:
        self.clock = clock
        self.entries: list[Entry] = []
        self.crash_at: tuple[int, bool] | None = None
        """(writes from now, whether that write is durable)"""

    async def read(self) -> Journal:
        await asyncio.sleep(0)
        return Journal(tuple(self.entries))

    async def write(self, step: str, event: str, *, result: str | None = None, said: str = "") -> None:
        check_succession(self.entries, step, event)
        await asyncio.sleep(0)
        entry = Entry(step, event, self.clock.now(), result, said)
        if self.crash_at is not None:
            left, durable = self.crash_at
            if left == 0:
                self.crash_at = None
                if durable:
                    self.entries.append(entry)
                raise Crash
            self.crash_at = (left - 1, durable)
        self.entries.append(entry)


class QuietTell:
    """An activity log that is kept as a list."""

    def __init__(self) -> None:
        self.said: list[tuple[str, Any]] = []

    def clean(self, text: str) -> str:
        return text

    async def program(self, title: str, *, app: str, goes_on: bool) -> Callable[[str], None]:
        self.said.append(("line", title))
        return lambda text: self.said.append(("line", text))

    def __getattr__(self, kind: str) -> Any:
        return lambda *values, **named: self.said.append((kind, values[0]))


@dataclass
class World:
    """What the steps leave in it, and what was called, in order: `build`, `-build`, …"""

    script: dict[str, list[str]] = field(default_factory=dict)
    calls: list[str] = field(default_factory=list)
    made: set[str] = field(default_factory=set)
    hook_starts: dict[str, int] = field(default_factory=lambda: defaultdict(int))
    """Times that the program of an ATTACH step was started since it was last undone."""
    hook_runs: set[str] = field(default_factory=set)
    switched: bool = False
    cancellation: Cancellation = field(default_factory=Cancellation)
    journal: MemoryJournal = field(default_factory=lambda: MemoryJournal(LoopClock()))
    tell: QuietTell = field(default_factory=QuietTell)
    limits: Limits = field(default_factory=lambda: Limits({BUILDS: Slots(1), DEPLOYMENTS: Slots(1)}))
    need: Need = NOTHING_MORE
    stuck: list[str] = field(default_factory=list)
    """Steps whose undos could not be done, when that was told."""

    def next_of(self, name: str) -> str:
        waiting = self.script.get(name)
        return waiting.pop(0) if waiting else ""

    def cancel(self, kind: str = "cancelled") -> None:
        """What Lanes.cancel does: first the journal, then the cancellation."""
        self.journal.entries.append(Entry("", CANCELLATION, self.journal.clock.now(), kind, f"{kind} by a test"))
        self.cancellation.request()

    async def start_daemon(self, table: Table[Any, Any]) -> Finish:
        """Carry the activity until it ends, or the daemon dies with Crash."""
        self.cancellation = Cancellation()
        return await run(Run(
            SimpleNamespace(id=1, project="shop"), table, self, lambda activity, journal: journal, self.journal,  # type: ignore[arg-type]
            self.cancellation, self.tell, self.limits, self.journal.clock, self._when_stuck,  # type: ignore[arg-type]
        ))

    async def _when_stuck(self, journal: Journal) -> None:
        entry = (await self.journal.read()).stuck()
        self.stuck.append(entry.step if entry else "nothing")

    async def execute(self, table: Table[Any, Any]) -> Finish:
        """To the end, with a new daemon after each crash."""
        while True:
            try:
                return await self.start_daemon(table)
            except Crash:
                self.calls.append("!")


def doing(name: str, *, attaches: bool = False, switches: bool = False) -> Any:
    async def do(view: Any, host: World, tell: Any) -> Gave:
        host.calls.append(name)
        host.made.add(name)
        if attaches and name not in host.hook_runs:
            host.hook_runs.add(name)
            host.hook_starts[name] += 1
        what = host.next_of(name)
        await asyncio.sleep(0)
        if switches and what != "refused":
            host.switched = True
        if what == "refused" and host.switched:
            what = "doubt"   # only a step that is sure may say so
        await _happen(what, host)
        return Gave(name)

    do.__name__ = name
    return do


async def _happen(what: str, host: World) -> None:
    match what:
        case "fail":
            raise DeployError("it went wrong")
        case "bug":
            raise KeyError("bug")
        case "group":
            raise ExceptionGroup("two", [DeployError("first"), ExceptionGroup("inner", [DeployError("second")])])
        case "again":
            raise Transient(DeployError("the registry is away"), again_in_seconds=10)
        case "away":
            raise Away("Docker is away")
        case "group-again":
            raise ExceptionGroup("one", [Transient(DeployError("the registry is away"), again_in_seconds=10)])
        case "own-timeout":
            raise TimeoutError("of a library")
        case "stray":
            raise asyncio.CancelledError
        case "over":
            await asyncio.sleep(10_000)
        case "nap":
            await asyncio.sleep(10)
        case "cancel":
            host.cancel()
            await asyncio.sleep(10_000)
        case "supersede":
            host.cancel("superseded")
            await asyncio.sleep(10_000)
        case "late":
            host.cancel()
            host.cancel()
        case "hold":
            raise Hold("main is locked by ada")
        case "crash":
            raise Crash
        case "doubt":
            raise DeployError("no answer came")
        case "refused":
            raise NotDone("nothing was switched")


def undoing(name: str) -> Any:
    async def undo(view: Any, host: World, tell: Any) -> None:
        host.calls.append(f"-{name}")
        what = host.next_of(f"-{name}")
        await asyncio.sleep(0)
        await _happen(what, host)
        host.made.discard(name)
        host.hook_runs.discard(name)

    undo.__name__ = f"undo_{name}"
    return undo


def admission(pool: Pool) -> Admission:
    return Admission(pool, lambda view, host, total_mb: host.need)


BUILDING, DEPLOYING = admission(BUILDS), admission(DEPLOYMENTS)
PUSH: Table[Any, Any] = Table("push", 1, (
    Step("validate", doing("plan"), NOTHING, 30, AS_BEFORE, AGAIN),
    Step("build", doing("build", attaches=True), undoing("build"), 60, AS_BEFORE, ATTACH, BUILDING),
    Step("slug", doing("pack"), NOTHING, 60, AS_BEFORE, AGAIN, BUILDING),
    Step("deploy", doing("apps"), undoing("apps"), 60, AS_BEFORE, AGAIN, DEPLOYING),
    Step("hooks", doing("freeze"), undoing("freeze"), 10, HELD, AGAIN, DEPLOYING),
    Step("hooks", doing("hook", attaches=True), undoing("hook"), 3600, HELD, ATTACH, DEPLOYING),
    Step("route", doing("healthy"), NOTHING, 60, HELD, AGAIN, DEPLOYING),
    Step("route", doing("switch", switches=True), NO_WAY_BACK, 10, RELEASED, AGAIN, DEPLOYING),
    Step("route", doing("post", attaches=True), NOTHING, 3600, ON_NEW, ATTACH, DEPLOYING),
    Step("route", doing("retire"), NOTHING, 60, ON_NEW, AGAIN, DEPLOYING),
))
