"""One activity from the inside: its plan, its commit, how long its phases took, and what the runs before it took."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import TypeVar

from deployd.activity.journal import DONE, Journal
from deployd.activity.kinds import table_of
from deployd.activity.log import Logs, PhaseNow
from deployd.activity.timeline import Timeline, timeline_of
from deployd.clock import Clock
from deployd.deployment.kinds import KINDS
from deployd.deployment.results import Fetched, Planned
from deployd.ids import ActivityId, CommitId
from deployd.queries.journal import FreezeShape, freeze_of
from deployd.state import activities, bad_releases, entries
from deployd.state.activities import OPEN, Activity
from deployd.state.bad_releases import BadRelease
from deployd.state.entries import Entry
from deployd.state.store import Store

T = TypeVar("T")

COMPARED = 5
"""Earlier runs that are laid beside one."""
LOOKED_AT = 50
"""Activities of the environment among which those are."""
KNOWN = 500
"""Timelines of ended activities that are kept; they never change."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Run:
    timeline: Timeline
    earlier: tuple[Timeline, ...]
    """Of successful activities of the same kind in the same environment, newest first."""
    phase: PhaseNow | None
    plan: tuple[str, ...]
    """What was decided, a sentence each; empty before it was."""
    urls: tuple[str, ...]
    commit: CommitId | None
    subject: str
    author: str
    before: CommitId | None
    """What was live when it was planned."""
    before_by: ActivityId | None
    """The activity that had made it live."""
    to: ActivityId | None
    """Of a rollback: the activity whose version is wanted."""
    freeze: FreezeShape | None
    """Who was held; None: nobody was, or not yet."""
    stuck: bool
    """An undo waits for somebody to say what becomes of it."""
    bad: BadRelease | None
    """What it made live was found bad."""
    now: datetime


class RunQueries:
    def __init__(self, store: Store, logs: Logs, clock: Clock) -> None:
        self._store = store
        self._logs = logs
        self._clock = clock
        self._known: OrderedDict[ActivityId, Timeline] = OrderedDict()

    async def find(self, number: int) -> Run | None:
        """None: there is no such activity."""
        activity = await self._store.read(lambda db: activities.find(db, ActivityId(number)))
        if activity is None:
            return None
        journal = await self._store.read(lambda db: entries.all_of_activity(db, activity.id))
        fetched, planned = _result(journal, "fetch", Fetched), _result(journal, "read_and_plan", Planned)
        counts = await self._store.read(lambda db: entries.of_activity(db, activity.id))
        return Run(
            timeline=timeline_of(journal, phases_of(activity)), earlier=tuple(await self._earlier(activity)),
            phase=self._logs.phase(activity.id), plan=tuple(planned.plan.lines()) if planned else (),
            urls=planned.urls if planned else (), commit=fetched.commit if fetched else activity.commit,
            subject=fetched.subject if fetched else "", author=fetched.author if fetched else "",
            before=planned.before.commit if planned and planned.before else None,
            before_by=planned.before.activity if planned and planned.before else None, to=activity.trigger.to,
            freeze=freeze_of(journal), stuck=Journal(counts).stuck() is not None,
            bad=await self._store.read(lambda db: bad_releases.find(db, activity.id)), now=self._clock.now(),
        )

    def phase(self, number: int) -> PhaseNow | None:
        """What an activity does now."""
        return self._logs.phase(ActivityId(number))

    async def _earlier(self, activity: Activity) -> list[Timeline]:
        found = await self._store.read(lambda db: activities.latest(
            db, environment=activity.environment, states=["success"], limit=LOOKED_AT,
        ))
        like = [item for item in found if item.kind == activity.kind and item.id < activity.id][:COMPARED]
        return [await self._timeline(item) for item in like]

    async def _timeline(self, activity: Activity) -> Timeline:
        known = self._known.get(activity.id)
        if known is None:
            journal = await self._store.read(lambda db: entries.all_of_activity(db, activity.id))
            known = timeline_of(journal, phases_of(activity))
            if activity.state not in OPEN:
                self._known[activity.id] = known
                while len(self._known) > KNOWN:
                    self._known.popitem(last=False)
        return known


def phases_of(activity: Activity) -> dict[str, str]:
    """{step: its phase}, of the table by which the activity is done; empty when a newer deployd began it."""
    table = table_of(KINDS, activity)
    return {step.name: step.phase for step in table.steps} if table is not None else {}


def _result(journal: Sequence[Entry], step: str, kind: type[T]) -> T | None:
    if not any(entry.step == step and entry.event == DONE for entry in journal):
        return None
    return Journal(tuple(journal)).result(step, kind)
