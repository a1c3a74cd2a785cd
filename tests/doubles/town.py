"""A town of environments, in memory: what deployments leave in it, what visitors meet, and a daemon that dies anywhere.

The lanes, the loop, the machine, the slots and the rows are the real ones; only the steps are doubles. What must hold
is asked again after every step and every write, and noted when it does not: an error raised there would only make an
activity fail.
"""

from __future__ import annotations

import asyncio
from collections import Counter, defaultdict
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import partial
from typing import Any

from deployd.activity.admission import BUILDS, DEPLOYMENTS, Admission
from deployd.activity.cancellation import Cancellation
from deployd.activity.journal import DONE, Journal
from deployd.activity.journal_store import StateJournal
from deployd.activity.lanes import Lanes
from deployd.activity.limits import Limits
from deployd.activity.machine import has_touched_visitors
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
from deployd.deployment.kinds import KINDS
from deployd.errors import DeployError, Transient
from deployd.ids import ActivityId, CommitId, EnvironmentId
from deployd.state import activities, entries
from deployd.state.activities import Activity, NewActivity, Trigger
from deployd.state.store import StateUnwritable
from tests.doubles.activity_world import Crash, LoopClock, NotDone, QuietTell
from tests.doubles.store import MemoryStore

Lane = tuple[str, str]
AT_ONCE = 2
"""Builds, and deployments, side by side."""
POOLS = {"build": BUILDS, "slug": BUILDS, "deploy": DEPLOYMENTS, "hooks": DEPLOYMENTS, "route": DEPLOYMENTS}


@dataclass
class Fates:
    """What goes wrong, in the order in which it is asked for; when they are used up all goes well."""

    steps: list[str]
    undos: list[str]
    switches: list[str]
    writes: list[str]
    """For each write: ``, `die` (before it is durable), `die after`, `full`."""

    def next_of(self, kind: str) -> str:
        waiting: list[str] = getattr(self, kind)
        return waiting.pop(0) if waiting else ""

    def use_up(self) -> None:
        for kind in (self.steps, self.undos, self.switches, self.writes):
            kind.clear()


class DyingStore(MemoryStore):
    """Keeps what was acknowledged."""

    fates: Fates
    check: Callable[[], None]

    async def write(self, query: Any) -> Any:
        fate = self.fates.next_of("writes")
        if fate == "die":
            raise Crash
        if fate == "full":
            raise StateUnwritable("the disk is full")
        result = await super().write(query)
        self.check()
        if fate == "die after":
            raise Crash
        return result


@dataclass
class Town:
    """Everything that outlives a daemon."""

    fates: Fates
    overtakes: bool
    """Whether a newer push ends an older one that runs."""
    store: DyingStore = field(default_factory=DyingStore)
    clock: LoopClock = field(default_factory=LoopClock)
    made: dict[ActivityId, set[str]] = field(default_factory=lambda: defaultdict(set))
    """What steps left behind."""
    live: dict[Lane, ActivityId] = field(default_factory=dict)
    """Whose containers visitors are sent to."""
    held: dict[Lane, ActivityId] = field(default_factory=dict)
    """Who holds visitors."""
    starts: Counter[tuple[ActivityId, str]] = field(default_factory=Counter)
    """Times that the program of an ATTACH step was started."""
    working: Counter[str] = field(default_factory=Counter)
    """Steps under way in each lane, and of each kind of slot."""
    wrong: list[str] = field(default_factory=list)
    """What did not hold."""

    def __post_init__(self) -> None:
        self.store.fates, self.store.check = self.fates, self.check

    def check(self) -> None:
        """What holds at every moment."""
        running = self.store.db.execute(
            "SELECT max(n) FROM (SELECT count(*) n FROM activities WHERE state = 'in_progress'"
            " GROUP BY project, environment)").fetchone()[0]
        self.must((running or 0) <= 1, "two activities of a lane are in progress")
        for lane, activity in self.live.items():
            self.must("apps" in self.made[activity], f"visitors of {lane} meet containers that are gone")
        self.must(all(count == 1 for count in self.starts.values()), "a build or a hook was started twice")
        for name, count in self.working.items():
            most = AT_ONCE if name in ("builds", "deployments") else 1
            self.must(count <= most, f"{count} steps at once: {name}")

    def must(self, holds: bool, what: str) -> None:
        if not holds:
            self.wrong.append(what)

    def journal(self, activity: ActivityId) -> Journal:
        return Journal(entries.of_activity(self.store.db, activity))

    def all(self) -> list[Activity]:
        """Every activity, oldest first."""
        return activities.latest(self.store.db, limit=1000)[::-1]

    def open_lanes(self) -> Lanes:
        """A daemon's lanes; a new one after each death."""
        limits = Limits({BUILDS: Slots(AT_ONCE), DEPLOYMENTS: Slots(AT_ONCE)})
        return Lanes(self.store, partial(self._execute, limits), self.clock, self._may_be_overtaken)  # type: ignore[arg-type]

    async def push(self, lane: Lane, kind: str) -> None:
        new = NewActivity(KINDS[kind], EnvironmentId.read("/".join(lane)), lane[1], CommitId("c" * 40),
                          Trigger("ann", "git"))
        await MemoryStore.write(self.store, lambda db: activities.enqueue(db, new, self.clock.now()))

    def _may_be_overtaken(self, activity: Activity, journal: Journal) -> bool:
        return self.overtakes and activity.kind == "push" and not has_touched_visitors(TABLE, journal)

    async def _execute(self, limits: Limits, activity: Activity, cancellation: Cancellation) -> None:
        if not await self.store.write(lambda db: activities.begin(db, activity.id, self.clock.now())):
            return
        journal = StateJournal(self.store, activity.id, self.clock)  # type: ignore[arg-type]
        end = await run(Run(
            activity, TABLE, self, lambda row, read: (row, read), journal, cancellation,
            QuietTell(), limits, self.clock,  # type: ignore[arg-type]
        ))
        await self.store.write(lambda db: activities.finish(db, activity.id, end.state, end.reason, self.clock.now()))

    @contextmanager
    def at_work(self, activity: Activity, phase: str, *, undoes: bool = False) -> Iterator[None]:
        names = [str(activity.environment)]
        if not undoes:
            names += [POOLS[phase].value] if phase in POOLS else []
        self.working.update(names)
        try:
            self.check()
            yield
        finally:
            self.working.subtract(names)
            self.check()


def admission(phase: str) -> Admission | None:
    return Admission(POOLS[phase]) if phase in POOLS else None


Act = Callable[[Town, Activity, Lane], None]


def step(phase: str, name: str, visitors: Any, *, act: Act | None = None, attaches: bool = False,
         undo: Act | None = None, limit: float = 60) -> Step:
    async def do(view: Any, town: Town, tell: Any) -> None:
        activity: Activity = view[0]
        with town.at_work(activity, phase):
            if attaches and name not in town.made[activity.id]:
                town.starts[activity.id, name] += 1
            town.made[activity.id].add(name)
            if act is not None:
                act(town, activity, activity.environment)
            await misfortune(town.fates.next_of("steps"))

    async def undone(view: Any, town: Town, tell: Any) -> None:
        activity: Activity = view[0]
        with town.at_work(activity, phase, undoes=True):
            await misfortune(town.fates.next_of("undos"))
            if undo is not None:
                undo(town, activity, activity.environment)
            town.made[activity.id].discard(name)

    do.__name__, undone.__name__ = name, f"undo_{name}"
    return Step(phase, do, undone if undo is not None else NOTHING, limit, visitors, ATTACH if attaches else AGAIN,
                admission(phase))


async def misfortune(what: str) -> None:
    match what:
        case "fail":
            raise DeployError("it went wrong")
        case "bug":
            raise KeyError("bug")
        case "again":
            raise Transient(DeployError("the registry is away"), again_in_seconds=10)
        case "over":
            await asyncio.sleep(10_000)
        case "nap":
            await asyncio.sleep(20)
        case _:
            await asyncio.sleep(1)


async def switch(view: Any, town: Town, tell: Any) -> None:
    activity: Activity = view[0]
    lane = activity.environment
    with town.at_work(activity, "route"):
        fate = town.fates.next_of("switches")
        if fate == "refused" and town.live.get(lane) != activity.id:
            raise NotDone("nothing was switched")
        if fate == "lost":
            raise DeployError("the question was lost")
        town.live[lane] = activity.id
        town.held.pop(lane, None)
        await asyncio.sleep(0)
        if fate == "unanswered":
            raise DeployError("the answer was lost")


def hold(town: Town, activity: Activity, lane: Lane) -> None:
    town.must(town.held.get(lane, activity.id) == activity.id, "two activities hold visitors")
    town.held[lane] = activity.id


def let_go(town: Town, activity: Activity, lane: Lane) -> None:
    town.held.pop(lane, None)


def leave(town: Town, activity: Activity, lane: Lane) -> None:
    town.must(town.live.get(lane) != activity.id, "what is live is undone")


def is_held(town: Town, activity: Activity, lane: Lane) -> None:
    town.must(town.held.get(lane) == activity.id, "the deploy hook runs while visitors write")


def retire(town: Town, activity: Activity, lane: Lane) -> None:
    town.must(town.live.get(lane) == activity.id, "somebody else's version is live")
    for other in town.all():
        if other.environment == lane and other.id != activity.id:
            town.made[other.id].clear()


TABLE: Table[Any, Any] = Table("push", 1, (
    step("validate", "plan", AS_BEFORE),
    step("build", "build", AS_BEFORE, attaches=True, undo=leave),
    step("slug", "pack", AS_BEFORE),
    step("deploy", "apps", AS_BEFORE, undo=leave),
    step("hooks", "freeze", HELD, act=hold, undo=let_go),
    step("hooks", "hook", HELD, act=is_held, attaches=True, undo=leave, limit=3600),
    step("route", "healthy", HELD),
    Step("route", switch, NO_WAY_BACK, 10, RELEASED, AGAIN, admission("route")),
    step("route", "post", ON_NEW, attaches=True, limit=3600),
    step("route", "retire", ON_NEW, act=retire),
))


def switched(town: Town, activity: ActivityId) -> bool:
    return town.journal(activity).count("switch", DONE) > 0
