"""Whoever is in an environment is told that something begins there; nobody waits for them."""

from __future__ import annotations

import asyncio

from deployd.activity.error_boundary import ErrorBoundary
from deployd.inside.open_stays import OpenStay, OpenStays
from deployd.state import activities
from deployd.state.activities import Activity
from deployd.state.store import Store

LOOK_SECONDS = 1.0
RUNNING = ("in_progress",)


class News:
    def __init__(self, store: Store, stays: OpenStays, boundary: ErrorBoundary) -> None:
        self._store = store
        self._stays = stays
        self._boundary = boundary

    async def serve(self) -> None:
        """For ever; looks only while there is somebody."""
        while True:
            await self._stays.came.wait()
            with self._boundary.contain("telling who is in environments what begins there"):
                await self.look()
            await asyncio.sleep(LOOK_SECONDS)

    async def look(self) -> None:
        there = self._stays.environments
        for activity in await self._store.read(lambda db: activities.latest(db, states=RUNNING)):
            if activity.environment in there:
                for item in self._stays.of(activity.environment):
                    whom = f"telling {item.stay.who}, who is in {item.stay.environment}"
                    with self._boundary.contain(whom, shown=False):
                        await _tell(item, activity)


async def _tell(item: OpenStay, activity: Activity) -> None:
    if activity.id in item.told_of:
        return
    item.told_of.add(activity.id)
    await item.tell(begins(activity))


def begins(activity: Activity) -> str:
    """The line."""
    return (
        f"{activity.kind} {activity.id} of {activity.branch}, asked for by {activity.trigger.who}, is at work;"
        " when it replaces this container, this session ends"
    )
