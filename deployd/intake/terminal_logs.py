"""The activity log as the pusher's terminal shows it."""

from __future__ import annotations

from deployd.activity.follower import Follower
from deployd.activity.line import render_line
from deployd.activity.log import Logs
from deployd.ids import ActivityId, ProjectId
from deployd.state import activities
from deployd.state.store import Store


class TerminalLogs:
    """Activity logs as lines of text."""

    def __init__(self, logs: Logs, store: Store) -> None:
        self._logs = logs
        self._store = store

    def follow(self, activity: ActivityId, after: int = 0) -> TerminalLog:
        return TerminalLog(self._logs.follow(activity, after), after)

    async def project_of(self, activity: ActivityId) -> ProjectId | None:
        found = await self._store.read(lambda db: activities.find(db, activity))
        return None if found is None else found.environment.project

    @property
    def stopping(self) -> bool:
        return self._logs.stopping

    async def succeeded(self, activity: ActivityId) -> bool:
        found = await self._store.read(lambda db: activities.find(db, activity))
        return found is not None and found.state == "success"


class TerminalLog:
    def __init__(self, follower: Follower, after: int = 0) -> None:
        self._follower = follower
        self.after = after
        self._held = False

    async def take(self) -> list[str] | None:
        """Further lines; empty after a while of silence; None when the activity has ended, or waits for somebody."""
        lines = None if self._held else await self._follower.take()
        self.after = max((self.after, *(line.number for line in lines or ())))
        self._held = any(line.kind == "held" for line in lines or ())
        return None if lines is None else [text for line in lines for text in render_line(line)]

    def close(self) -> None:
        self._follower.close()
