"""Locks of environments: what is live there stays, and pushes wait, built, until somebody takes the lock away."""

from __future__ import annotations

import sqlite3
from dataclasses import dataclass, replace
from datetime import datetime

from deployd.ids import EnvironmentId


@dataclass(frozen=True, slots=True)
class Lock:
    """Why an environment keeps what is live there."""

    environment: EnvironmentId
    who: str
    reason: str
    """In somebody's own words; may be empty."""
    at: datetime
    until: datetime | None = None
    """When it ends by itself; None: somebody has to end it."""

    def said(self, branch: str) -> str:
        """For people: `main is locked by ada since 2026-05-04 10:00 UTC: the sale`."""
        until = f", until {self.until:%Y-%m-%d %H:%M} UTC" if self.until else ""
        since = f"{branch} is locked by {self.who} since {self.at:%Y-%m-%d %H:%M} UTC{until}"
        return f"{since}: {self.reason}" if self.reason else since


def find(connection: sqlite3.Connection, environment: EnvironmentId) -> Lock | None:
    row = connection.execute(
        "SELECT * FROM locks WHERE project = ? AND environment = ?", environment,
    ).fetchone()
    return _lock(row) if row else None


def list_all(connection: sqlite3.Connection) -> list[Lock]:
    return [_lock(row) for row in connection.execute("SELECT * FROM locks")]


def over(connection: sqlite3.Connection, now: datetime) -> list[Lock]:
    """Those whose own end has come."""
    return [lock for lock in list_all(connection) if lock.until is not None and lock.until <= now]


def put(connection: sqlite3.Connection, lock: Lock) -> None:
    """Lock an environment; one that is locked already has the new reason from now on."""
    connection.execute(
        "INSERT INTO locks (project, environment, who, reason, at, until) VALUES (?, ?, ?, ?, ?, ?)"
        " ON CONFLICT (project, environment) DO UPDATE SET who = excluded.who, reason = excluded.reason,"
        " at = excluded.at, until = excluded.until",
        (*lock.environment, lock.who, lock.reason, lock.at.isoformat(), lock.until.isoformat() if lock.until else None),
    )


def lasting(connection: sqlite3.Connection, lock: Lock) -> Lock:
    """The lock with which an environment stays locked until somebody unlocks it: one that is there keeps its words, and
    ends by itself no more."""
    there = find(connection, lock.environment)
    return lock if there is None else replace(there, until=None)


def remove(connection: sqlite3.Connection, environment: EnvironmentId) -> bool:
    """Take the lock away. False: there is none."""
    return connection.execute(
        "DELETE FROM locks WHERE project = ? AND environment = ?", environment,
    ).rowcount == 1


def _lock(row: sqlite3.Row) -> Lock:
    return Lock(EnvironmentId(row["project"], row["environment"]), row["who"], row["reason"],
                datetime.fromisoformat(row["at"]), datetime.fromisoformat(row["until"]) if row["until"] else None)
