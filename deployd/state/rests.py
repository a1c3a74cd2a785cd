"""Environments at rest: nothing of them runs, and their data is kept.

    paused      the router knows its hosts; the next visitor wakes it
    inactive    it has no hosts; a person activates it. So is a branch that is stored and was never deployed
"""

from __future__ import annotations

import sqlite3
from collections.abc import Mapping
from datetime import datetime
from typing import Literal

from deployd.ids import EnvironmentId, ProjectId

Rest = Literal["", "paused", "inactive"]
AWAKE: Rest = ""
PAUSED: Rest = "paused"
INACTIVE: Rest = "inactive"
ACTIVATING = ("push", "activate", "redeploy", "variable", "rollback")
"""Kinds of activities at whose end an inactive environment is active."""
WAKE = "wake"


def of(connection: sqlite3.Connection, environment: EnvironmentId) -> Rest | None:
    """None: there is no such environment."""
    row = connection.execute("SELECT rest FROM environments WHERE project = ? AND name = ?", environment).fetchone()
    return row["rest"] if row else None


def put(connection: sqlite3.Connection, environment: EnvironmentId, rest: Rest, now: datetime) -> None:
    """Let an environment be at rest, or awake. May be repeated: it keeps since when it is so."""
    connection.execute(
        "UPDATE environments SET rest = ?1, rested_at = CASE WHEN ?1 = '' THEN NULL ELSE ?2 END"
        " WHERE project = ?3 AND name = ?4 AND rest != ?1", (rest, now.isoformat(), *environment),
    )


def count_active(connection: sqlite3.Connection, project: ProjectId, but_for: EnvironmentId, production: str) -> int:
    """Environments of a project that are active, paused ones too, or about to be; production does not count.

    Args:
        production: Its branch.
    """
    marks = ", ".join("?" * len(ACTIVATING))
    return int(connection.execute(
        "SELECT count(*) FROM environments WHERE project = ? AND name != ? AND branch != ? AND (rest != 'inactive'"
        " OR EXISTS (SELECT 1 FROM activities WHERE activities.project = environments.project"
        f" AND environment = name AND kind IN ({marks}) AND state IN ('pending', 'in_progress')))",
        (project, but_for.name, production, *ACTIVATING),
    ).fetchone()[0])


def note_visits(connection: sqlite3.Connection, visits: Mapping[EnvironmentId, datetime]) -> None:
    """When somebody came last."""
    connection.executemany(
        "UPDATE environments SET visited_at = ? WHERE project = ? AND name = ?",
        [(at.isoformat(), *environment) for environment, at in visits.items()],
    )


def failed_wakes(connection: sqlite3.Connection, environment: EnvironmentId, most: int) -> int:
    """How many wakes failed one after the other, up to now; anything else that went well ends the count."""
    rows = connection.execute(
        "SELECT kind, state FROM activities WHERE project = ? AND environment = ?"
        " AND state IN ('success', 'failed') ORDER BY id DESC LIMIT ?", (*environment, most),
    )
    count = 0
    for row in rows:
        if (row["kind"], row["state"]) != (WAKE, "failed"):
            break
        count += 1
    return count
