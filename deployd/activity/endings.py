"""How activities ended, for those who follow a log that has no last line."""

from __future__ import annotations

from deployd.activity.follower import End, HowEnded
from deployd.ids import ActivityId
from deployd.state import activities
from deployd.state.store import Store


def endings(store: Store) -> HowEnded:
    """Asks the database."""
    async def how_ended(activity: ActivityId) -> End | None:
        found = await store.read(lambda db: activities.find(db, activity))
        if found is None or found.ended_at is None:
            return None
        return End(found.state, found.reason, found.ended_at.isoformat())
    return how_ended
