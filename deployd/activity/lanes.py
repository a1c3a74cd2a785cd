"""One lane for each environment: its activities run one after the other; environments run side by side.

A lane exists as long as it has something open in the database. Nothing is kept here that is not there: after a restart
the lanes are made anew from the open rows, and go on.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

import structlog

from deployd.activity.wish import Wish
from deployd.clock import Clock
from deployd.ids import ActivityId
from deployd.state import activities
from deployd.state.activities import Activity
from deployd.state.entries import Entry, append
from deployd.state.store import Store

log = structlog.get_logger()

Lane = tuple[str, str]
Carry = Callable[[Activity, Wish], Awaitable[None]]
"""Runs an activity to its end, state and all."""


class Lanes:
    """The lanes of a daemon."""

    def __init__(self, store: Store, carry: Carry, clock: Clock) -> None:
        self._store = store
        self._carry = carry
        self._clock = clock
        self._running: dict[Lane, tuple[ActivityId, Wish] | None] = {}
        self._woken = asyncio.Event()

    def wake(self) -> None:
        """Say that there may be something to do."""
        self._woken.set()

    async def serve(self) -> None:
        """Run what is open and what comes, for ever. Cancelled: rows stay open, and the next start goes on."""
        async with asyncio.TaskGroup() as group:
            while True:
                self._woken.clear()   # before the reading: what is written after it wakes us
                for activity in await self._store.read(activities.open_ones):
                    lane = (activity.project, activity.environment)
                    if lane not in self._running:
                        self._running[lane] = None
                        group.create_task(self._drain(lane), name=f"lane {'/'.join(lane)}")
                await self._woken.wait()

    async def cancel(self, activity: ActivityId, who: str) -> bool:
        """Wish that an activity ends. False: it has ended already. From the switch on it goes on to its own end."""
        said = f"cancelled by {who}"
        now = self._clock.now()
        found = await self._store.read(lambda db: activities.find(db, activity))
        if found is None or found.state not in activities.OPEN:
            return False
        wish = self._wish_of(activity)
        if wish is None:
            return await self._store.write(lambda db: activities.finish(db, activity, "cancelled", said, now))
        await self._store.write(lambda db: append(db, activity, Entry("", "wish", now, "cancelled", said)))
        wish.ask()
        return True

    def _wish_of(self, activity: ActivityId) -> Wish | None:
        return next((wish for running in self._running.values() if running for number, wish in [running]
                     if number == activity), None)

    async def _drain(self, lane: Lane) -> None:
        try:
            while (activity := await self._next(lane)) is not None:
                wish = Wish()
                self._running[lane] = (activity.id, wish)
                await self._carry(activity, wish)
        except Exception:
            log.exception("lane_failed", project=lane[0], environment=lane[1])
            await asyncio.sleep(5)
        finally:
            del self._running[lane]
            self.wake()   # something may have come between the last look and now

    async def _next(self, lane: Lane) -> Activity | None:
        opened = await self._store.read(activities.open_ones)
        mine = [item for item in opened if (item.project, item.environment) == lane]
        return next((item for item in mine if item.state == "in_progress"), mine[0] if mine else None)
