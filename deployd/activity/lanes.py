"""One lane for each environment: its activities run one after the other; environments run side by side.

A lane exists as long as it has something open in the database. Nothing is kept here that is not there: after a restart
the lanes are made anew from the open rows, and go on.
"""

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import Awaitable, Callable
from functools import partial
from typing import ClassVar

import structlog

from deployd.activity import interventions
from deployd.activity.cancellation import Cancellation
from deployd.activity.error_boundary import ErrorBoundary
from deployd.activity.journal import Journal
from deployd.activity.table import TableUnknown
from deployd.clock import Clock
from deployd.errors import DeployError
from deployd.ids import ActivityId, EnvironmentId
from deployd.state import activities
from deployd.state.activities import Activity
from deployd.state.store import Store

log = structlog.get_logger()

LONGEST_PAUSE_SECONDS = 60.0
"""After something failed that no journal could take: mostly the database itself."""

Execute = Callable[[Activity, Cancellation], Awaitable[None]]
"""Runs an activity to its end, state and all: the executor."""
Overtakable = Callable[[Activity, Journal], bool]


class TooLate(DeployError):
    """The activity is past its switch: the new version is live, and it goes on to its own end."""

    code: ClassVar[str] = "too-late"


class NothingStuck(DeployError):
    """No undo of the activity waits for another try."""

    code: ClassVar[str] = "nothing-stuck"


class Lanes:
    """The lanes of a daemon."""

    def __init__(
        self, store: Store, execute: Execute, clock: Clock,
        may_be_overtaken: Overtakable = lambda activity, journal: False, *, boundary: ErrorBoundary | None = None,
    ) -> None:
        """
        Args:
            may_be_overtaken: Whether a push that runs gives way to a newer one of its lane.
        """
        self._boundary = boundary or ErrorBoundary("lanes")
        self._store = store
        self._execute = execute
        self._clock = clock
        self._may_be_overtaken = may_be_overtaken
        self._running: dict[EnvironmentId, tuple[ActivityId, Cancellation] | None] = {}
        self._left_alone: dict[EnvironmentId, str] = {}
        self._woken = asyncio.Event()

    @property
    def left_alone(self) -> dict[EnvironmentId, str]:
        """{lane: why}: where a newer deployd began something that this one does not know."""
        return dict(self._left_alone)

    def wake(self) -> None:
        """Say that there may be something to do."""
        self._woken.set()

    async def serve(self) -> None:
        """Run what is open and what comes, for ever. Cancelled: rows stay open, and the next start goes on."""
        self._running.clear()   # of an earlier round: a lane that was cancelled before its first step left its mark
        async with asyncio.TaskGroup() as group:
            while True:
                self._woken.clear()   # before the reading: what is written after it wakes us
                for lane in await self._store.read(activities.open_lanes):
                    if lane not in self._running and lane not in self._left_alone:
                        self._running[lane] = None
                        group.create_task(self._drain(lane), name=f"lane {lane}")
                with self._boundary.contain("looking for pushes that were overtaken"):
                    await self._end_overtaken()
                await self._woken.wait()

    async def cancel(
        self, activity: ActivityId, who: str, *, why: str = "",
        also: Callable[[sqlite3.Connection], None] | None = None,
    ) -> bool:
        """Cancel an activity. One that waits ends at once. False: it has ended already.

        Args:
            why: What is said of it, instead of who cancelled it.
            also: Written in the same transaction, before it; when it raises, nothing is cancelled.

        Raises:
            TooLate: It is past its switch.
            EndsAlready: Somebody else has cancelled it.
        """
        cancellation = self._cancellation_of(activity)
        if cancellation is not None and cancellation.too_late:
            raise TooLate(
                f"activity {activity} cannot be cancelled any more: its switch was begun",
                hint="wait for its end, then roll back",
            )
        said, now = why or f"cancelled by {who}", self._clock.now()

        def cancel(db: sqlite3.Connection) -> bool:
            if also is not None:
                also(db)
            return interventions.cancel(db, activity, said, now)

        if not await self._store.write(cancel):
            return False
        cancellation = self._cancellation_of(activity)   # again: it may have begun meanwhile
        if cancellation is not None:
            cancellation.request()
        return True

    async def retry_undo(self, activity: ActivityId) -> None:
        """Try an undo that is stuck now, and not after its pause.

        Raises:
            NothingStuck: No undo of the activity waits for another try.
        """
        step = await self._store.read(lambda db: interventions.stuck_step(db, activity))
        if step is None:
            raise await self._nothing_stuck(activity)
        self._nudge(activity)

    async def skip_undo(self, activity: ActivityId, who: str) -> None:
        """Leave undone what cannot be undone, and go on with the rest. The journal keeps who said so.

        Raises:
            NothingStuck: No undo of the activity waits for another try.
        """
        if not await self._store.write(lambda db: interventions.skip_undo(db, activity, who, self._clock.now())):
            raise await self._nothing_stuck(activity)
        log.warning("undo_skipped", activity=activity, who=who)
        self._nudge(activity)

    async def _end_overtaken(self) -> None:
        """End pushes that a newer one of their lane has overtaken, where that is wanted."""
        for activity, newer in await self._store.read(activities.overtaken):
            cancellation = self._cancellation_of(activity)
            if cancellation is None:
                continue
            with self._boundary.contain(f"ending activity {activity}, which was overtaken"):   # else it goes on
                if await self._store.write(partial(
                    interventions.supersede, activity=activity, newer=newer, now=self._clock.now(),
                    may_be=self._may_be_overtaken,
                )):
                    cancellation.request()

    async def _nothing_stuck(self, activity: ActivityId) -> NothingStuck:
        said = await self._store.read(lambda db: interventions.said_of_undos(db, activity))
        return NothingStuck(
            f"no undo of activity {activity} is stuck" + (f": {said}" if said else ""),
            hint="`deployd activities` shows what each waits for; one that is tried just now has to end first",
        )

    def _nudge(self, activity: ActivityId) -> None:
        cancellation = self._cancellation_of(activity)
        if cancellation is not None:
            cancellation.nudge()

    def _cancellation_of(self, activity: ActivityId) -> Cancellation | None:
        return next((running[1] for running in self._running.values() if running and running[0] == activity), None)

    async def _drain(self, lane: EnvironmentId) -> None:
        item = f"the lane of {lane}"
        try:
            goes_on = True
            while goes_on:
                with self._boundary.contain(item) as tried:
                    goes_on = await self._run_next(lane)
                if tried.failed:
                    await asyncio.sleep(min(tried.again_in, LONGEST_PAUSE_SECONDS))
        finally:
            self._running.pop(lane, None)
            self.wake()   # something may have come between the last look and now

    async def _run_next(self, lane: EnvironmentId) -> bool:
        """Run what comes next in a lane. False: there is nothing, or a newer deployd has to do it."""
        activity = await self._store.read(lambda db: activities.next_of_lane(db, lane))
        if activity is None:
            return False
        cancellation = Cancellation()
        self._running[lane] = (activity.id, cancellation)
        try:
            await self._execute(activity, cancellation)
        except TableUnknown as error:
            log.error("activity_left_alone", what=error.what)
            self._left_alone[lane] = error.what
            return False
        return True
