"""Commits that were pushed to be stored and not deployed, one for each branch: the newest."""

from __future__ import annotations

import sqlite3
from datetime import datetime

from deployd.ids import CommitId, ProjectId


def keep(connection: sqlite3.Connection, project: ProjectId, branch: str, commit: CommitId, now: datetime) -> None:
    """Remember that a branch as it is now is not to be deployed by itself."""
    connection.execute(
        "INSERT OR REPLACE INTO kept_back (project, branch, commit_id, at) VALUES (?, ?, ?, ?)",
        (project, branch, commit, now.isoformat()),
    )


def forget(connection: sqlite3.Connection, project: ProjectId, branch: str) -> None:
    """The branch has moved on, or is gone."""
    connection.execute("DELETE FROM kept_back WHERE project = ? AND branch = ?", (project, branch))


def find(connection: sqlite3.Connection, project: ProjectId, branch: str) -> CommitId | None:
    """The commit at which a branch is kept back; None: it is not."""
    row = connection.execute(
        "SELECT commit_id FROM kept_back WHERE project = ? AND branch = ?", (project, branch),
    ).fetchone()
    return CommitId(row[0]) if row else None
