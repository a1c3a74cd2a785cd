"""Where the journal of one activity is kept: in the database, durable when a write returns."""

from __future__ import annotations

import sqlite3
from typing import Protocol

from deployd.activity.journal import Journal, check_succession
from deployd.clock import Clock
from deployd.ids import ActivityId
from deployd.state import entries
from deployd.state.entries import Entry
from deployd.state.store import Store


class JournalStore(Protocol):
    """The journal of one activity, as who runs it needs it."""

    async def read(self) -> Journal: ...

    async def write(self, step: str, event: str, *, result: str | None = None, said: str = "") -> None:
        """Durable when it returns."""
        ...


class StateJournal:
    """The journal of one activity in state.db."""

    def __init__(self, store: Store, activity: ActivityId, clock: Clock) -> None:
        self._store = store
        self._activity = activity
        self._clock = clock

    async def read(self) -> Journal:
        return Journal(await self._store.read(lambda db: entries.of_activity(db, self._activity)))

    async def write(self, step: str, event: str, *, result: str | None = None, said: str = "") -> None:
        entry = Entry(step, event, self._clock.now(), result, said)
        await self._store.write(lambda db: self._append(db, entry))

    def _append(self, db: sqlite3.Connection, entry: Entry) -> None:
        check_succession(entries.of_activity(db, self._activity), entry.step, entry.event)
        entries.append(db, self._activity, entry)
