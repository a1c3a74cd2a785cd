"""Who changed what: entries that are added and never changed, each with the hash of the one before.

    hash = SHA-256(hash of the entry before, number, what the entry says)

Whoever alters or removes an entry in the file has to write all later hashes anew, and the last one is shown in
`/status`: a copy of it that is kept elsewhere proves that nothing before it was touched.
"""

from __future__ import annotations

import hashlib
import json
import sqlite3
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Literal

Result = Literal["done", "refused", "failed"]
LONGEST = 500
"""Characters of a text; what is said can come from strangers."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Deed:
    """Something that somebody changed, or wanted to."""

    at: datetime
    who: str
    """Name of the token or person; `operator` for whoever may open the daemon's own socket."""
    by: str
    """How: `console`, `api`, `socket`, `git`, `github`, `gitlab`; of a person `ssh, key LABEL`, `git, token LABEL`."""
    address: str
    """Where it came from; empty on the host itself."""
    action: str
    """What: `redeploy`, `lock`, `sign-in`, …"""
    project: str = ""
    environment: str = ""
    said: str = ""
    """More about it: a reason, an activity, an error."""
    result: Result = "done"


@dataclass(frozen=True, slots=True)
class Entry:
    number: int
    deed: Deed
    hash: str


def append(connection: sqlite3.Connection, deed: Deed) -> int:
    """Returns its number."""
    last = connection.execute("SELECT number, hash FROM audit ORDER BY number DESC LIMIT 1").fetchone()
    number, before = (last["number"] + 1, last["hash"]) if last else (1, "")
    text = _text(deed)
    connection.execute(
        "INSERT INTO audit (number, project, deed, hash) VALUES (?, ?, ?, ?)",
        (number, _short(deed.project), text, _hash(before, number, text)),
    )
    return number


def newest(
    connection: sqlite3.Connection, *, projects: Sequence[str] | None = None, before: int | None = None,
    limit: int = 50,
) -> list[Entry]:
    """Newest first.

    Args:
        projects: Only of these; None: all, those of no project too.
        before: Only entries with a smaller number.
    """
    where, values = ["number < ?"], [before if before is not None else 2**62]
    named: list[str] = []
    if projects is not None:
        where.append(f"project IN ({', '.join('?' * len(projects))})")
        named = list(projects)
    rows = connection.execute(
        f"SELECT * FROM audit WHERE {' AND '.join(where)} ORDER BY number DESC LIMIT ?", (*values, *named, limit),
    )
    return [_entry(row) for row in rows]


@dataclass(frozen=True, slots=True)
class Chain:
    """How far the log was looked through."""

    number: int = 0
    """Of the last entry that was looked at."""
    hash: str = ""
    broken: int | None = None
    """The first entry that does not follow from the one before; None: none yet."""
    is_over: bool = False


def follow_chain(connection: sqlite3.Connection, chain: Chain, most: int = 5_000) -> Chain:
    """Look at the next entries, a few at a time: others want to read as well."""
    number, before, count = chain.number, chain.hash, 0
    rows = connection.execute(
        "SELECT number, deed, hash FROM audit WHERE number > ? ORDER BY number LIMIT ?", (number, most),
    )
    for row in rows:
        if row["number"] != number + 1 or row["hash"] != _hash(before, row["number"], row["deed"]):
            return Chain(row["number"], row["hash"], int(row["number"]), True)
        number, before, count = row["number"], row["hash"], count + 1
    return Chain(number, before, None, count < most)


def first_broken(connection: sqlite3.Connection) -> int | None:
    """Number of the first entry that does not follow from the one before; None: all do."""
    chain = Chain()
    while not chain.is_over:
        chain = follow_chain(connection, chain)
    return chain.broken


def head(connection: sqlite3.Connection) -> tuple[int, str]:
    """(number, hash) of the last entry; (0, "") when there is none."""
    row = connection.execute("SELECT number, hash FROM audit ORDER BY number DESC LIMIT 1").fetchone()
    return (row["number"], row["hash"]) if row else (0, "")


def _text(deed: Deed) -> str:
    values = {name: _short(value) if isinstance(value, str) else value for name, value in asdict(deed).items()}
    return json.dumps({**values, "at": deed.at.isoformat()}, ensure_ascii=False, sort_keys=True)


def _short(text: str) -> str:
    """What is no Unicode cannot be kept."""
    return text[:LONGEST].encode(errors="replace").decode()


def _hash(before: str, number: int, text: str) -> str:
    return hashlib.sha256(f"{before}\n{number}\n{text}".encode()).hexdigest()


def _entry(row: sqlite3.Row) -> Entry:
    values = json.loads(row["deed"])
    return Entry(row["number"], Deed(**{**values, "at": datetime.fromisoformat(values["at"])}), row["hash"])
