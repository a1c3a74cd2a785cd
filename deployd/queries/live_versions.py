"""What is shown of every live version. None ever changes, so each is read once."""

from __future__ import annotations

from collections.abc import Iterable

from deployd.activity.journal import read_result
from deployd.ids import ActivityId
from deployd.release.version import Version
from deployd.state import environments
from deployd.state.store import Store

MOST_OLD = 1_000
"""Versions that are kept though nothing shows them any more."""
NOTHING = ("", "")


class LiveVersions:
    def __init__(self, store: Store) -> None:
        self._store = store
        self._known: dict[ActivityId, tuple[str, str]] = {}
        """{activity: commit and first URL of its version}"""

    async def learn(self, shown: Iterable[ActivityId | None]) -> None:
        """Have those that are live now; None: nothing is."""
        live = {activity for activity in shown if activity is not None}
        for activity in live - self._known.keys():
            text = await self._store.read(lambda db, number=activity: environments.version_of(db, number))  # type: ignore[misc]
            if text is not None:
                version = read_result(text, Version)
                self._known[activity] = (version.commit, version.routes[0] if version.routes else "")
        if len(self._known) > 2 * len(live) + MOST_OLD:
            self._known = {activity: self._known[activity] for activity in live & self._known.keys()}

    def of(self, activity: ActivityId | None) -> tuple[str, str]:
        """(commit, first URL); empty when it is not known or nothing is live"""
        return NOTHING if activity is None else self._known.get(activity, NOTHING)
