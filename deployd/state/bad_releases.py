"""Releases that were found bad after their switch, and what became of them."""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from deployd.ids import ActivityId, EnvironmentId


@dataclass(frozen=True, slots=True)
class BadRelease:
    activity: ActivityId
    """That made it live."""
    environment: EnvironmentId
    why: str
    at: datetime
    back: ActivityId | None
    """The rollback that brings the version before again; None: nothing is reverted by itself."""
    back_to: ActivityId | None
    """Whose version that is."""
    is_live: bool = True
    """Still; False: what came back for it is, or a later version."""
    back_state: str = ""
    """How far the rollback is, as activities say it."""

    @property
    def said(self) -> str:
        """For people."""
        when = f"{self.at:%Y-%m-%d %H:%M} UTC"
        if self.back is None:
            return f"activity {self.activity} is a bad release, found {when}: {self.why}"
        version = f"the version of activity {self.back_to}"
        if not self.is_live:
            return f"activity {self.activity} was a bad release, found {when}: {self.why}; {version} is live again"
        how = "brings" if self.back_state in ("", "pending", "in_progress") else "could not bring"
        return (
            f"activity {self.activity} is a bad release, found {when}: {self.why}; activity {self.back} {how}"
            f" {version} back"
        )


def put(
    connection: sqlite3.Connection, bad: BadRelease,
) -> None:
    """May be repeated."""
    connection.execute(
        "INSERT OR REPLACE INTO bad_releases (activity, project, environment, why, at, back, back_to)"
        " VALUES (?, ?, ?, ?, ?, ?, ?)",
        (bad.activity, *bad.environment, bad.why, bad.at.isoformat(), bad.back, bad.back_to),
    )


def is_bad(connection: sqlite3.Connection, activity: ActivityId) -> bool:
    """Whether what an activity made live was found bad."""
    return connection.execute("SELECT 1 FROM bad_releases WHERE activity = ?", (activity,)).fetchone() is not None


def find(connection: sqlite3.Connection, activity: ActivityId) -> BadRelease | None:
    rows = connection.execute(f"{_SELECT} WHERE bad.activity = ?", (activity,))
    return next(map(_bad, rows), None)


def all_of(connection: sqlite3.Connection, environment: EnvironmentId) -> Sequence[BadRelease]:
    """Of an environment, as long as it is known."""
    return [_bad(row) for row in connection.execute(
        f"{_SELECT} WHERE bad.project = ? AND bad.environment = ? ORDER BY bad.activity", environment,
    )]


def current(connection: sqlite3.Connection) -> Sequence[BadRelease]:
    """Those that matter still: they are live, or what came back for them is."""
    return [_bad(row) for row in connection.execute(
        f"{_SELECT} WHERE live_activity IN (bad.activity, bad.back) ORDER BY bad.activity",
    )]


def forget(connection: sqlite3.Connection, environment: EnvironmentId) -> None:
    connection.execute("DELETE FROM bad_releases WHERE project = ? AND environment = ?", environment)


_SELECT = (
    "SELECT bad.*, live_activity IS NULL OR live_activity = bad.activity AS is_live,"
    " coalesce(activities.state, '') AS back_state FROM bad_releases AS bad"
    " LEFT JOIN environments ON environments.project = bad.project AND name = bad.environment"
    " LEFT JOIN activities ON id = bad.back"
)


def _bad(row: sqlite3.Row) -> BadRelease:
    return BadRelease(
        ActivityId(row["activity"]), EnvironmentId(row["project"], row["environment"]), row["why"],
        datetime.fromisoformat(row["at"]), _activity(row["back"]), _activity(row["back_to"]), bool(row["is_live"]),
        row["back_state"],
    )


def _activity(number: int | None) -> ActivityId | None:
    return ActivityId(number) if number is not None else None
