"""How much of an activity its forge was told. A row for each, from the first word on."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime

from deployd.ids import ActivityId
from deployd.state import activities
from deployd.state.activities import Activity


@dataclass(frozen=True, slots=True)
class Report:
    activity: ActivityId
    told: str = ""
    """What the forge knows: the state of the activity, and while it runs its phase as well."""
    telling: str = ""
    """What it is being told."""
    done: int = 0
    """So many requests of that are answered."""
    ids: Mapping[str, int] = field(default_factory=dict)
    """{what the forge has made: its number there}"""
    failing_since: datetime | None = None


def find(connection: sqlite3.Connection, activity: ActivityId) -> Report:
    row = connection.execute("SELECT * FROM reports WHERE activity = ?", (activity,)).fetchone()
    if row is None:
        return Report(activity)
    since = row["failing_since"]
    return Report(
        activity, row["told"], row["telling"], row["done"], json.loads(row["ids"]),
        datetime.fromisoformat(since) if since else None,
    )


def put(connection: sqlite3.Connection, report: Report) -> None:
    """May be repeated."""
    connection.execute(
        "INSERT OR REPLACE INTO reports (activity, told, telling, done, ids, failing_since) VALUES (?, ?, ?, ?, ?, ?)",
        (report.activity, report.told, report.telling, report.done, json.dumps(dict(report.ids)),
         report.failing_since.isoformat() if report.failing_since else None),
    )


def first_since(connection: sqlite3.Connection, moment: datetime) -> ActivityId:
    """The oldest activity that matters: it is open, or was made since then; else the next one that will be made."""
    row = connection.execute(
        "SELECT coalesce(min(id), (SELECT coalesce(max(id), 0) + 1 FROM activities)) FROM activities"
        " WHERE created_at >= ? OR state IN ('pending', 'in_progress')", (moment.isoformat(),),
    ).fetchone()
    return ActivityId(row[0])


def untold(
    connection: sqlite3.Connection, first: ActivityId, projects: Sequence[str], kinds: Sequence[str],
) -> list[Activity]:
    """Activities from `first` on of which the forge does not know how they ended, oldest first. Not those after which
    another one of the same commit was told: their state is older."""
    rows = connection.execute(
        "SELECT activities.* FROM activities LEFT JOIN reports ON activity = id WHERE id >= ?"
        f" AND project IN ({_marks(projects)}) AND kind IN ({_marks(kinds)}) AND commit_id IS NOT NULL"
        " AND coalesce(told, '') != state AND NOT EXISTS (SELECT 1 FROM activities AS newer JOIN reports AS known"
        " ON known.activity = newer.id WHERE newer.id > activities.id AND newer.project = activities.project"
        " AND newer.environment = activities.environment AND newer.commit_id = activities.commit_id) ORDER BY id",
        (first, *projects, *kinds),
    )
    return [activities.from_row(row) for row in rows]


def _marks(values: Sequence[str]) -> str:
    return ", ".join("?" * len(values))
