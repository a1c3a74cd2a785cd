"""What visitors of an environment got within the last hour or day, and when they were held."""

from __future__ import annotations

import asyncio
from collections import OrderedDict
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from deployd.activity.journal import DONE, UNDONE, read_result
from deployd.clock import Clock
from deployd.deployment.results import Frozen
from deployd.errors import Unusable
from deployd.ids import ActivityId, EnvironmentId
from deployd.queries.environments import EnvironmentQueries
from deployd.queries.journal import freeze_of
from deployd.state import activities, entries
from deployd.state.activities import OPEN
from deployd.state.entries import Entry
from deployd.state.store import Store
from deployd.upkeep.traffic_history import SPANS, Histories, Point

LOOKED_AT = 50
"""Activities among which freezes are looked for."""
KNOWN = 1_000
"""Freezes of ended activities that are kept; they never change."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PointShape:
    """What visitors got within a slot of time."""

    at: str
    """Its beginning: ISO 8601, UTC."""
    classes: dict[str, int]
    """{`2xx`: answers}"""
    median_seconds: float
    """Within which half of the answers came, to the next bound of a histogram; 0 without any."""
    slow_seconds: float
    """The same for nineteen of twenty."""


@dataclass(frozen=True, slots=True, kw_only=True)
class HeldShape:
    """A freeze: requests of visitors waited."""

    activity: int
    kind: str
    began: str
    ended: str
    """Empty: it goes on."""
    held: int
    longest_seconds: float


@dataclass(frozen=True, slots=True, kw_only=True)
class TrafficShape:
    span: str
    """`hour` or `day`."""
    slot_seconds: int
    points: tuple[PointShape, ...]
    """Oldest first, without a gap."""
    freezes: tuple[HeldShape, ...]


@dataclass(frozen=True, slots=True)
class Held:
    """A freeze within a span."""

    activity: ActivityId
    kind: str
    began: datetime
    ended: datetime | None
    held: int = 0
    longest_seconds: float = 0.0


class TrafficQueries:
    def __init__(
        self, store: Store, environments: EnvironmentQueries, histories: Histories, clock: Clock,
    ) -> None:
        self._store = store
        self._environments = environments
        self._histories = histories
        self._clock = clock
        self._known: OrderedDict[ActivityId, Held | None] = OrderedDict()

    async def of(self, project: str, environment: str, span: str) -> TrafficShape:
        """
        Raises:
            NotFound: There is no such environment (machine name or branch).
            Unusable: There is no such span.
        """
        points, held = await self.history(project, environment, span)
        return TrafficShape(
            span=span, slot_seconds=SPANS[span][0], points=tuple(map(_point_shape, points)),
            freezes=tuple(map(_held_shape, held)),
        )

    async def history(self, project: str, environment: str, span: str) -> tuple[list[Point], list[Held]]:
        """The same as values; raises as `of` does."""
        if span not in SPANS:
            raise Unusable(f"span cannot be {span[:20]!r}", hint=f"one of {', '.join(SPANS)}")
        found = await self._environments.find(project, environment)
        now = self._clock.now()
        points = await asyncio.to_thread(self._histories.points, str(found.id), span, now.timestamp())
        return points, await self._held(found.id, points[0].at)

    async def _held(self, environment: EnvironmentId, since: datetime) -> list[Held]:
        latest = await self._store.read(lambda db: activities.latest(db, environment=environment, limit=LOOKED_AT))
        found = []
        for item in reversed(latest):
            if item.started_at is None or (item.ended_at or self._clock.now()) < since - timedelta(hours=2):
                continue
            held = await self._freeze(item)
            if held is not None and (held.ended is None or held.ended >= since):
                found.append(held)
        return found

    async def _freeze(self, activity: activities.Activity) -> Held | None:
        if activity.id in self._known:
            return self._known[activity.id]
        journal = await self._store.read(lambda db: entries.of_activity(db, activity.id))
        held = held_of(activity.id, activity.kind, journal)
        if activity.state not in OPEN:
            self._known[activity.id] = held
            while len(self._known) > KNOWN:
                self._known.popitem(last=False)
        return held


def held_of(activity: ActivityId, kind: str, journal: Sequence[Entry]) -> Held | None:
    """The freeze of an activity; None: nobody was to be held. Pure."""
    began = next((
        entry.at for entry in journal if (entry.step, entry.event) == ("freeze", DONE)
        and entry.result is not None and read_result(entry.result, Frozen).held
    ), None)
    if began is None:
        return None
    ends = (("switch", DONE), ("freeze", UNDONE))
    ended = next((entry.at for entry in journal if (entry.step, entry.event) in ends), None)
    did = freeze_of(journal)
    return Held(activity, kind, began, ended, did.held if did else 0, did.longest_wait_seconds if did else 0.0)


def _point_shape(point: Point) -> PointShape:
    return PointShape(
        at=point.at.isoformat(), classes=point.classes, median_seconds=point.median_seconds,
        slow_seconds=point.slow_seconds,
    )


def _held_shape(held: Held) -> HeldShape:
    return HeldShape(
        activity=held.activity, kind=held.kind, began=held.began.isoformat(),
        ended=held.ended.isoformat() if held.ended else "", held=held.held, longest_seconds=held.longest_seconds,
    )
