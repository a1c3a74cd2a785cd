"""Updates that were published, for who comes back: one SQLite file, as large as it may be, the oldest go first."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterator
from dataclasses import dataclass

SCHEMA = """
CREATE TABLE IF NOT EXISTS updates (
    number INTEGER PRIMARY KEY AUTOINCREMENT, id TEXT NOT NULL, topics TEXT NOT NULL, private INTEGER NOT NULL,
    data TEXT NOT NULL, type TEXT NOT NULL, retry INTEGER, bytes INTEGER NOT NULL
);
CREATE INDEX IF NOT EXISTS by_id ON updates (id);
"""


@dataclass(frozen=True)
class Update:
    id: str
    topics: list[str]
    private: bool
    data: str
    type: str = ""
    retry: int | None = None

    def event(self) -> bytes:
        """As Server-Sent Events have it."""
        head = f"id: {self.id}\n" + (f"event: {self.type}\n" if self.type else "")
        head += f"retry: {self.retry}\n" if self.retry is not None else ""
        lines = self.data.replace("\r\n", "\n").replace("\r", "\n").split("\n")
        return (head + "".join(f"data: {line}\n" for line in lines) + "\n").encode()


class History:
    def __init__(self, path: str, most_bytes: int) -> None:
        self._db = sqlite3.connect(path, isolation_level=None)
        self._db.executescript(f"PRAGMA journal_mode=WAL; PRAGMA synchronous=NORMAL; {SCHEMA}")
        self._most_bytes = most_bytes
        self._bytes = self._db.execute("SELECT coalesce(sum(bytes), 0) FROM updates").fetchone()[0]

    def add(self, update: Update) -> None:
        size = len(update.data) + sum(map(len, update.topics)) + 200
        self._db.execute(
            "INSERT INTO updates (id, topics, private, data, type, retry, bytes) VALUES (?, ?, ?, ?, ?, ?, ?)",
            (update.id, json.dumps(update.topics), update.private, update.data, update.type, update.retry, size),
        )
        self._bytes += size
        while self._bytes > self._most_bytes:
            number, gone = self._db.execute("SELECT number, bytes FROM updates ORDER BY number LIMIT 1").fetchone()
            self._db.execute("DELETE FROM updates WHERE number = ?", (number,))
            self._bytes -= gone

    def last_id(self) -> str:
        row = self._db.execute("SELECT id FROM updates ORDER BY number DESC LIMIT 1").fetchone()
        return row[0] if row else "earliest"

    def since(self, last: str) -> tuple[str, Iterator[Update]]:
        """(the id that was found, what came after it until now); of an id that is not known everything, as from
        `earliest`. One after the other: all of it may be larger than the memory."""
        row = self._db.execute("SELECT number FROM updates WHERE id = ? ORDER BY number DESC", (last,)).fetchone()
        newest = self._db.execute("SELECT coalesce(max(number), 0) FROM updates").fetchone()[0]
        return (last if row else "earliest"), self._between(row[0] if row else 0, newest)

    def _between(self, number: int, newest: int) -> Iterator[Update]:
        while row := self._db.execute(
            "SELECT number, id, topics, private, data, type, retry FROM updates WHERE number > ? AND number <= ?"
            " ORDER BY number LIMIT 1", (number, newest),
        ).fetchone():
            number, id, topics, private, data, kind, retry = row
            yield Update(id, json.loads(topics), bool(private), data, kind, retry)

    def close(self) -> None:
        self._db.close()
