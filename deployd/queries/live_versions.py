"""What is shown of every live version. None ever changes, so each is read once."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable
from contextlib import suppress
from dataclasses import dataclass
from functools import partial

from deployd.activity.journal import Journal, read_result
from deployd.deployment.results import Fetched
from deployd.ids import ActivityId, CommitId
from deployd.release.version import Version
from deployd.state import entries, environments
from deployd.state.store import Store

MOST_OLD = 1_000
"""Versions that are kept though nothing shows them any more."""


@dataclass(frozen=True, slots=True)
class LiveVersion:
    commit: str = ""
    url: str = ""
    """Of the first route."""
    subject: str = ""
    author: str = ""


NOTHING = LiveVersion()


class LiveVersions:
    def __init__(self, store: Store) -> None:
        self._store = store
        self._known: dict[ActivityId, LiveVersion] = {}

    async def learn(self, shown: Iterable[ActivityId | None]) -> None:
        """Have those that are live now; None: nothing is."""
        live = {activity for activity in shown if activity is not None}
        for activity in live - self._known.keys():
            found = await self._store.read(partial(_read, activity))
            if found is not None:
                self._known[activity] = found
        if len(self._known) > 2 * len(live) + MOST_OLD:
            self._known = {activity: self._known[activity] for activity in live & self._known.keys()}

    def of(self, activity: ActivityId | None) -> LiveVersion:
        """Empty when it is not known or nothing is live."""
        return NOTHING if activity is None else self._known.get(activity, NOTHING)


def _read(activity: ActivityId, db: sqlite3.Connection) -> LiveVersion | None:
    text = environments.version_of(db, activity)
    if text is None:
        return None
    version, fetched = read_result(text, Version), Fetched(CommitId(""))
    with suppress(LookupError):   # its activity may be forgotten already
        fetched = Journal(entries.of_activity(db, activity)).result("fetch", Fetched)
    url = version.routes[0] if version.routes else ""
    return LiveVersion(version.commit, url, fetched.subject, fetched.author)
