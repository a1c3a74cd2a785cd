"""Answers to requests with an `Idempotency-Key`: the same request again gets the same answer, and does nothing."""

from __future__ import annotations

import sqlite3
from dataclasses import dataclass
from datetime import datetime


@dataclass(frozen=True, slots=True)
class Answer:
    asked: str
    """Digest of the request: method, path and body."""
    status: int
    """Of HTTP; 0: it is being done."""
    body: str


def find(connection: sqlite3.Connection, who: str, key: str) -> Answer | None:
    row = connection.execute("SELECT * FROM repeats WHERE who = ? AND key = ?", (who, key)).fetchone()
    return Answer(row["asked"], row["status"], row["answer"]) if row else None


def begin(connection: sqlite3.Connection, who: str, key: str, asked: str, now: datetime) -> Answer | None:
    """Take a key; None: it is ours now. Else what was answered, or is being done, with it."""
    there = find(connection, who, key)
    if there is None:
        connection.execute(
            "INSERT INTO repeats (who, key, asked, at, status, answer) VALUES (?, ?, ?, ?, 0, '')",
            (who, key, asked, now.isoformat()),
        )
    return there


def finish(connection: sqlite3.Connection, who: str, key: str, status: int, body: str) -> None:
    connection.execute("UPDATE repeats SET status = ?, answer = ? WHERE who = ? AND key = ?", (status, body, who, key))


def give_up(connection: sqlite3.Connection, who: str, key: str) -> None:
    """Nothing was done: it may be asked again with the same key."""
    connection.execute("DELETE FROM repeats WHERE who = ? AND key = ?", (who, key))


def forget(connection: sqlite3.Connection, before: datetime) -> int:
    """Those of requests that came before a moment; and those that a daemon's death left without an answer."""
    return connection.execute("DELETE FROM repeats WHERE at < ?", (before.isoformat(),)).rowcount


def forget_unanswered(connection: sqlite3.Connection) -> int:
    """At the start of a daemon: nobody is at work on them any more."""
    return connection.execute("DELETE FROM repeats WHERE status = 0").rowcount
