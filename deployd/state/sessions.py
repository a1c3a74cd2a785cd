"""Browsers that somebody signed in with, until they sign out, their time is over, or somebody ends them."""

from __future__ import annotations

import sqlite3
from dataclasses import dataclass
from datetime import datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Session:
    id: str
    """Digest of the cookie; see `access/cookies.py`."""
    token: str
    """Name of the token that was shown."""
    proof: str
    began: datetime
    seen: datetime
    """When it was last used, to some minutes."""
    ends: datetime
    address: str
    """Where it was begun from."""
    agent: str
    """What the browser calls itself; hostile text."""


def add(connection: sqlite3.Connection, session: Session) -> None:
    connection.execute(
        "INSERT INTO sessions (id, token, proof, began, seen, ends, address, agent) VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
        (session.id, session.token, session.proof, session.began.isoformat(), session.seen.isoformat(),
         session.ends.isoformat(), session.address, session.agent),
    )


def list_all(connection: sqlite3.Connection) -> list[Session]:
    """Newest first."""
    return [_session(row) for row in connection.execute("SELECT * FROM sessions ORDER BY began DESC, id")]


def see(connection: sqlite3.Connection, session: str, now: datetime) -> None:
    connection.execute("UPDATE sessions SET seen = ? WHERE id = ?", (now.isoformat(), session))


def remove(connection: sqlite3.Connection, session: str) -> bool:
    """False: there is none."""
    return connection.execute("DELETE FROM sessions WHERE id = ?", (session,)).rowcount == 1


def remove_ended(connection: sqlite3.Connection, now: datetime, unused_since: datetime) -> int:
    """Those whose time is over, and those that nobody used since a moment."""
    return connection.execute(
        "DELETE FROM sessions WHERE ends <= ? OR seen <= ?", (now.isoformat(), unused_since.isoformat()),
    ).rowcount


def _session(row: sqlite3.Row) -> Session:
    return Session(
        id=row["id"], token=row["token"], proof=row["proof"], began=datetime.fromisoformat(row["began"]),
        seen=datetime.fromisoformat(row["seen"]), ends=datetime.fromisoformat(row["ends"]), address=row["address"],
        agent=row["agent"],
    )
