"""Pushes whose log is shown by whoever took them, and not by their hook: those over SSH.

git's hook tells the daemon by which session a push came; the daemon tells the session which activities it became, and
the hook ends. So neither git nor the hook has to last as long as the deployment, and the log goes on over a restart.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterator, Sequence
from contextlib import contextmanager

from deployd.ids import ActivityId

Stored = Callable[[Sequence[ActivityId]], Awaitable[None]]


class PushSessions:
    """Those that are open."""

    def __init__(self) -> None:
        self._open: dict[str, Stored] = {}

    @contextmanager
    def open(self, session: str, stored: Stored) -> Iterator[None]:
        """
        Args:
            session: A word that nobody can guess.
            stored: Told what a push has become, when that is durable.
        """
        self._open[session] = stored
        try:
            yield
        finally:
            del self._open[session]

    async def stored(self, session: str, activities: Sequence[ActivityId]) -> bool:
        """Tell a session what its push has become. False: nobody shows the log but the hook."""
        found = self._open.get(session)
        if found is None:
            return False
        await found(activities)
        return True
