"""The journal of activities, entry by entry. What an entry means is the business of `activity/machine.py`."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime

from deployd.ids import ActivityId

HELD = "held"
"""The activity waits for an unlock and is done anew after it: what stands before this is history."""


@dataclass(frozen=True, slots=True)
class Entry:
    step: str
    event: str
    at: datetime
    result: str | None = None
    """JSON of what the step gave."""
    said: str = ""
    """Why, for people."""


def append(connection: sqlite3.Connection, activity: ActivityId, entry: Entry) -> None:
    connection.execute(
        "INSERT INTO journal (activity, number, step, event, at, result, said)"
        " SELECT ?, coalesce(max(number), 0) + 1, ?, ?, ?, ?, ? FROM journal WHERE activity = ?",
        (activity, entry.step, entry.event, entry.at.isoformat(), entry.result, entry.said, activity),
    )


def of_activity(connection: sqlite3.Connection, activity: ActivityId) -> tuple[Entry, ...]:
    """What counts, oldest first: the entries since it was held last."""
    return _entries(connection.execute(
        "SELECT * FROM journal WHERE activity = ? AND number > (SELECT coalesce(max(number), 0) FROM journal"
        f" WHERE activity = ? AND event = '{HELD}') ORDER BY number", (activity, activity),
    ))


def all_of_activity(connection: sqlite3.Connection, activity: ActivityId) -> tuple[Entry, ...]:
    """What counts and what is history, oldest first."""
    return _entries(connection.execute("SELECT * FROM journal WHERE activity = ? ORDER BY number", (activity,)))


def _entries(rows: Iterable[sqlite3.Row]) -> tuple[Entry, ...]:
    return tuple(
        Entry(row["step"], row["event"], datetime.fromisoformat(row["at"]), row["result"], row["said"]) for row in rows
    )
