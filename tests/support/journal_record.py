"""What the database says about a storm, as values: read only, while the daemon runs or lies dead."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

OPEN = ("pending", "in_progress")
BUSY_SECONDS = 30.0


@dataclass(frozen=True, slots=True)
class Entry:
    step: str
    event: str
    at: float
    """Unix time."""
    result: str | None
    said: str = ""


@dataclass(frozen=True, slots=True)
class Record:
    """An activity and its journal."""

    number: int
    project: str
    environment: str
    branch: str
    kind: str
    commit: str | None
    state: str
    reason: str
    entries: tuple[Entry, ...]

    @property
    def deployed(self) -> str | None:
        """The commit that it fetched, or went back to."""
        done = next((entry for entry in self.entries if (entry.step, entry.event) == ("fetch", "done")), None)
        return str(json.loads(done.result or "{}")["commit"]) if done else None

    def first(self, step: str, event: str) -> float | None:
        return next((entry.at for entry in self.entries if (entry.step, entry.event) == (step, event)), None)

    def hooks(self, step: str) -> bool | None:
        """Whether a step ran the hook of its application; None: it was begun, and nobody knows how far it came."""
        if self.first(step, "started") is None:
            return False
        done = next((entry for entry in self.entries if (entry.step, entry.event) == (step, "done")), None)
        return None if done is None else "app" in json.loads(done.result or "{}").get("apps", ())


@dataclass(frozen=True, slots=True)
class Live:
    project: str
    environment: str
    branch: str
    activity: int
    slugs: frozenset[str]
    services: frozenset[str]
    homes: frozenset[str]
    """Numbers of the activities whose containers these are."""


def read_records(state: Path) -> list[Record]:
    """Every activity, oldest first."""
    with _reading(state) as db:
        entries: dict[int, list[Entry]] = {}
        for row in db.execute("SELECT activity, step, event, at, result, said FROM journal ORDER BY activity, number"):
            at = datetime.fromisoformat(row[3]).timestamp()
            entries.setdefault(row[0], []).append(Entry(row[1], row[2], at, row[4], row[5]))
        rows = db.execute(
            "SELECT id, project, environment, branch, kind, commit_id, state, reason FROM activities ORDER BY id")
        return [Record(*row, tuple(entries.get(row[0], ()))) for row in rows]


def read_live(state: Path) -> list[Live]:
    """Every environment that has something live."""
    with _reading(state) as db:
        found = []
        for project, name, branch, activity, text in db.execute(
            "SELECT environments.project, name, branch, live_activity, version FROM environments"
            " JOIN versions ON activity = live_activity",
        ):
            version = json.loads(text)
            found.append(Live(
                project, name, branch, activity, frozenset(app["slug"] for app in version["apps"]),
                frozenset(service["name"] for service in version["services"]),
                frozenset(str(app.get("made_by") or activity) for app in version["apps"]),
            ))
        return found


def read_open(state: Path, project: str | None = None, branch: str | None = None) -> list[int]:
    """Numbers of what waits or runs, of one branch or of all."""
    with _reading(state) as db:
        rows = db.execute(
            "SELECT id FROM activities WHERE state IN (?, ?) AND (? IS NULL OR project = ? AND branch = ?) ORDER BY id",
            (*OPEN, project, project, branch),
        )
        return [row[0] for row in rows]


@contextmanager
def _reading(state: Path) -> Iterator[sqlite3.Connection]:
    with closing(sqlite3.connect(f"file:{state}?mode=ro", uri=True, timeout=BUSY_SECONDS)) as db:
        yield db
