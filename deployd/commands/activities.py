"""Activities: end one before its switch, and what becomes of an undo that is stuck."""

from __future__ import annotations

from typing import ClassVar

from deployd.activity.lanes import Lanes
from deployd.errors import DeployError
from deployd.ids import ActivityId
from deployd.queries.activities import ActivityShape, activity_shape
from deployd.state import activities
from deployd.state.store import Store


class AlreadyEnded(DeployError):
    """The activity has ended and cannot be cancelled."""

    code: ClassVar[str] = "already-ended"


class ActivityCommands:
    def __init__(self, store: Store, lanes: Lanes) -> None:
        self._store = store
        self._lanes = lanes

    async def cancel(self, activity: int, who: str) -> ActivityShape:
        """Have an activity end; what it began is undone, unless it is past its switch."""
        if not await self._lanes.cancel(ActivityId(activity), who):
            ended = await read_activity(self._store, ActivityId(activity))
            why = f": {ended.reason}" if ended.reason else ""
            at = f", at {ended.ended_at[11:19]}" if ended.ended_at else ""
            raise AlreadyEnded(f"activity {activity} has ended already as {ended.state}{at}{why}")
        return await read_activity(self._store, ActivityId(activity))

    async def retry_undo(self, activity: int) -> ActivityShape:
        """Try an undo that is stuck at once."""
        await self._lanes.retry_undo(ActivityId(activity))
        return await read_activity(self._store, ActivityId(activity))

    async def skip_undo(self, activity: int, who: str) -> ActivityShape:
        """Leave undone what is stuck, and go on with the rest."""
        await self._lanes.skip_undo(ActivityId(activity), who)
        return await read_activity(self._store, ActivityId(activity))


async def read_activity(store: Store, number: ActivityId) -> ActivityShape:
    """One that there is, as it stands in the database."""
    found = await store.read(lambda db: activities.find(db, number))
    assert found is not None
    return activity_shape(found)
