"""Activities: what waits, runs and has ended, with journals and logs."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from deployd.activity.follower import Follower
from deployd.activity.line import line_values
from deployd.activity.log import Logs
from deployd.clock import Clock
from deployd.ids import ActivityId
from deployd.queries.journal import EntryShape, entry_shape
from deployd.queries.times import iso
from deployd.state import activities, entries
from deployd.state.activities import Activity
from deployd.state.store import Store

Waits = Callable[[ActivityId], str]
"""What an activity in progress waits for; empty: for nothing."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ActivityShape:
    id: int
    project: str
    environment: str
    branch: str
    kind: str
    commit: str
    state: str
    """`pending`, `in_progress`, `success`, `failed`, `cancelled` or `superseded`."""
    reason: str
    who: str
    how: str
    created_at: str
    started_at: str
    ended_at: str
    seconds: float | None
    waits: str = ""
    """What it waits for: a slot, memory, an undo that is stuck; or, pending, that its environment is unlocked."""
    said: str = ""
    """What is wanted, where the kind alone does not say it: which variable or operation."""


class ActivityQueries:
    def __init__(self, store: Store, logs: Logs, clock: Clock, waits: Waits) -> None:
        self._store = store
        self._logs = logs
        self._clock = clock
        self._waits = waits

    async def latest(
        self, projects: Sequence[str] | None, environment: str | None, state: str | None, limit: int, *,
        before: int | None = None,
    ) -> list[ActivityShape]:
        """Newest first, of these projects (None: of all), of an environment (machine name or branch).

        Args:
            before: Only those with a smaller number.
        """
        return self._shapes(await self._store.read(lambda db: activities.latest(
            db, projects=projects, name_or_branch=environment, states=[state] if state else [], limit=limit,
            before=before,
        )))

    async def newest(self) -> list[ActivityShape]:
        """The newest activity of every environment."""
        return self._shapes(await self._store.read(activities.newest_of_each))

    async def find(self, number: int) -> ActivityShape | None:
        found = await self._store.read(lambda db: activities.find(db, ActivityId(number)))
        return activity_shape(found, self._waits(found.id)) if found else None

    async def counts(self) -> dict[str, int]:
        """{`pending`, `in_progress`, `failed_last_hour`}"""
        hour = self._clock.now() - timedelta(hours=1)
        found = await self._store.read(lambda db: activities.count_by_state(db, hour))
        return {"pending": found["pending"], "in_progress": found["in_progress"], "failed_last_hour": found["failed"]}

    async def journal(self, number: int) -> list[EntryShape]:
        """Oldest first."""
        found = await self._store.read(lambda db: entries.all_of_activity(db, ActivityId(number)))
        return [entry_shape(item) for item in found]

    def log(self, number: int, after: int) -> FollowedLog:
        """Its lines behind the one of this number, and those that come."""
        return FollowedLog(self._logs.follow(ActivityId(number), after))

    def _shapes(self, found: Sequence[Activity]) -> list[ActivityShape]:
        return [activity_shape(item, self._waits(item.id)) for item in found]


class FollowedLog:
    """An activity's log as JSON values."""

    def __init__(self, follower: Follower) -> None:
        self._follower = follower

    async def take(self) -> list[dict[str, Any]] | None:
        """Further lines, empty after a while of silence; None after the last one."""
        lines = await self._follower.take()
        return None if lines is None else [line_values(line) for line in lines]

    async def rest(self) -> list[dict[str, Any]]:
        """Further lines that are there already, without waiting; empty when there are no more."""
        return [line_values(line) for line in await self._follower.rest()]

    def close(self) -> None:
        self._follower.close()


def activity_shape(found: Activity, waits: str = "") -> ActivityShape:
    ended = found.ended_at
    return ActivityShape(
        id=found.id, project=found.project, environment=found.environment.name, branch=found.branch, kind=found.kind,
        commit=found.commit or "", state=found.state, reason=found.reason, who=found.trigger.who,
        how=found.trigger.how, created_at=found.created_at.isoformat(), started_at=iso(found.started_at),
        ended_at=iso(ended),
        seconds=(ended - found.started_at).total_seconds() if ended and found.started_at else None,
        waits=found.reason if found.held and found.state in activities.OPEN else waits, said=found.trigger.said,
    )
