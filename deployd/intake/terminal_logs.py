"""The activity log as the pusher's terminal shows it."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from functools import partial

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
        return TerminalLog(self._logs.follow(activity, after), partial(self._follow_back, activity), after)

    async def project_of(self, activity: ActivityId) -> ProjectId | None:
        found = await self._store.read(lambda db: activities.find(db, activity))
        return None if found is None else found.environment.project

    async def _follow_back(self, activity: ActivityId) -> Follower | None:
        """The log of what brings the version before back, when the activity made a bad release."""
        end = await self._logs.how_ended(activity)   # not the store: who follows outlasts a reload, and it does not
        return self._logs.follow(end.back) if end is not None and end.back is not None else None

    @property
    def stopping(self) -> bool:
        return self._logs.stopping

    async def succeeded(self, activity: ActivityId) -> bool:
        found = await self._store.read(lambda db: activities.find(db, activity))
        return found is not None and found.state == "success"


class TerminalLog:
    def __init__(
        self, follower: Follower, follow_back: Callable[[], Awaitable[Follower | None]], after: int = 0,
    ) -> None:
        """
        Args:
            follow_back: Gives the log that goes on when this one has ended.
        """
        self._follower = follower
        self._follow_back: Callable[[], Awaitable[Follower | None]] | None = follow_back
        self.after = after
        """The last line that was told, of the log that is followed now."""
        self._held = False

    async def take(self) -> list[str] | None:
        """Further lines; empty after a while of silence; None when the activity has ended, or waits for somebody."""
        lines = None if self._held else await self._follower.take()
        if lines is None and not self._held and (back := await self._next()) is not None:
            self._follower, self.after = back, 0
            lines = await back.take()
        self.after = max((self.after, *(line.number for line in lines or ())))
        self._held = any(line.kind == "held" for line in lines or ())
        return None if lines is None else [text for line in lines for text in render_line(line)]

    async def _next(self) -> Follower | None:
        """Once: what brings a version back is never followed by another one."""
        follow_back, self._follow_back = self._follow_back, None
        return await follow_back() if follow_back is not None else None

    def close(self) -> None:
        self._follower.close()
