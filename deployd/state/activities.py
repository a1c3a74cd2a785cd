"""Activities: one row for each push, redeploy, rollback and delete, and the legal ways of its state."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Collection, Sequence
from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Literal, Protocol

from deployd.ids import ActivityId, CommitId, EnvironmentId, EnvironmentName, ProjectId
from deployd.state import locks
from deployd.state.locks import Lock

State = Literal["pending", "in_progress", "success", "failed", "cancelled", "superseded"]
BY_CHECKS = "checks"
"""How an activity comes about that takes a bad release back: what is live answers badly, so it goes before all else."""
OPEN: tuple[State, ...] = ("pending", "in_progress")
IS_OPEN = "state IN ('pending', 'in_progress')"
"""Word for word as the indexes of open activities have it: else SQLite does not use them."""
MAY_BECOME: dict[State, tuple[State, ...]] = {
    "pending": ("in_progress", "cancelled", "superseded"),
    "in_progress": ("success", "failed", "cancelled", "superseded", "pending"),
}
"""Legal successions; said once more in the SQL below. Who is held waits again, and is done anew."""


@dataclass(frozen=True, slots=True)
class Trigger:
    """What started an activity."""

    who: str
    how: str
    """`git`, the name of a forge, `api`, `daemon`, or `checks`: after a bad release."""
    delivery: str = ""
    to: ActivityId | None = None
    """Rollbacks: the activity whose version is wanted again."""
    anew: bool = False
    """Everything is built, with an empty cache."""
    app: str = ""
    """Operations: whose it is."""
    operation: str = ""
    """Operations: its name."""
    role: str = ""
    """Operations: of who asked, when they asked."""
    said: str = ""
    """What is wanted, for people, where the kind alone does not say it."""


@dataclass(frozen=True, slots=True)
class Activity:
    id: ActivityId
    environment: EnvironmentId
    branch: str
    kind: str
    """`push`, `redeploy`, `rollback`, …: the name of its kind."""
    table_version: int
    commit: CommitId | None
    trigger: Trigger
    state: State
    reason: str
    created_at: datetime
    started_at: datetime | None = None
    ended_at: datetime | None = None
    held: bool = False
    """It waits until somebody unlocks its environment; `reason` says who locked it."""

    @property
    def project(self) -> ProjectId:
        return self.environment.project


class Kind(Protocol):
    """What the rows ask of a kind of activity (`activity/kinds.py`)."""

    @property
    def name(self) -> str: ...
    @property
    def version(self) -> int: ...
    @property
    def takes_place_of(self) -> tuple[str, ...]: ...
    @property
    def held_when_locked(self) -> bool: ...


@dataclass(frozen=True, slots=True)
class NewActivity:
    """An activity that has no number yet."""

    kind: Kind
    environment: EnvironmentId
    branch: str
    commit: CommitId | None
    trigger: Trigger


def enqueue(connection: sqlite3.Connection, new: NewActivity, now: datetime) -> ActivityId:
    """Add an activity to its lane; where its kind supersedes, older ones of it that still wait there are superseded."""
    lock = locks.find(connection, new.environment) if new.kind.held_when_locked else None
    cursor = connection.execute(
        "INSERT INTO activities"
        " (project, environment, branch, kind, table_version, commit_id, cause, state, created_at, held, reason)"
        " VALUES (?, ?, ?, ?, ?, ?, ?, 'pending', ?, ?, ?)",
        (*new.environment, new.branch, new.kind.name, new.kind.version, new.commit,
         json.dumps(asdict(new.trigger)), now.isoformat(), lock is not None, lock.said(new.branch) if lock else ""),
    )
    number = ActivityId(cursor.lastrowid or 0)
    if replaced := new.kind.takes_place_of:
        connection.execute(
            "UPDATE activities SET state = 'superseded', reason = ?, ended_at = ? WHERE project = ? AND environment = ?"
            f" AND kind IN ({_marks(replaced)}) AND state = 'pending' AND id < ? AND {IS_OPEN}",
            (superseded_by(new.kind.name, number), now.isoformat(), *new.environment, *replaced, number),
        )
    return number


def superseded_by(kind: str, newer: ActivityId) -> str:
    """Why an activity has ended, for people."""
    return f"a newer {kind} came: activity {newer}"


def begin(connection: sqlite3.Connection, activity: ActivityId, now: datetime) -> bool:
    """pending → in_progress; one that is in progress already stays so. False: it has ended, or is held, meanwhile."""
    return connection.execute(
        "UPDATE activities SET state = 'in_progress', reason = '', started_at = coalesce(started_at, ?)"
        " WHERE id = ? AND state IN ('pending', 'in_progress') AND held = 0",
        (now.isoformat(), activity),
    ).rowcount == 1


def finish(connection: sqlite3.Connection, activity: ActivityId, state: State, reason: str, now: datetime) -> bool:
    """End an activity. False: it has ended already, or may not end so from where it is."""
    allowed = [before for before, after in MAY_BECOME.items() if state in after]
    return connection.execute(
        f"UPDATE activities SET state = ?, reason = ?, ended_at = ? WHERE id = ? AND state IN ({_marks(allowed)})",
        (state, reason, now.isoformat(), activity, *allowed),
    ).rowcount == 1


def say_more(connection: sqlite3.Connection, activity: ActivityId, more: str) -> None:
    """Add to the reason of an activity."""
    connection.execute("UPDATE activities SET reason = reason || ? WHERE id = ?", (more, activity))


def hold(connection: sqlite3.Connection, activity: ActivityId, reason: str) -> bool:
    """in_progress → pending, until its environment is unlocked. False: it has ended already."""
    return connection.execute(
        "UPDATE activities SET state = 'pending', held = 1, reason = ?, started_at = NULL"
        " WHERE id = ? AND state IN ('in_progress')", (reason, activity),
    ).rowcount == 1


def lock(connection: sqlite3.Connection, lock: Lock, branch: str, kinds: Collection[str]) -> None:
    """Lock an environment.

    Args:
        kinds: Held from now on, if they still wait: nothing else would stop them.
    """
    locks.put(connection, lock)
    connection.execute(
        "UPDATE activities SET held = 1, reason = ? WHERE project = ? AND environment = ?"
        f" AND kind IN ({_marks(kinds)}) AND state = 'pending' AND {IS_OPEN}",
        (lock.said(branch), *lock.environment, *kinds),
    )


def newer_of_kind(
    connection: sqlite3.Connection, activity: Activity, kinds: Collection[str] = (),
) -> ActivityId | None:
    """The newest of some kinds (the same one, when none is named) that came after it to its lane, and waits."""
    wanted = kinds or (activity.kind,)
    row = connection.execute(
        f"SELECT max(id) FROM activities WHERE project = ? AND environment = ? AND kind IN ({_marks(wanted)})"
        f" AND id > ? AND state = 'pending' AND {IS_OPEN}", (*activity.environment, *wanted, activity.id),
    ).fetchone()
    return ActivityId(row[0]) if row[0] is not None else None


def release(connection: sqlite3.Connection, environment: EnvironmentId) -> list[ActivityId]:
    """Let what was held in a lane go on, oldest first; but for what has a ticket, which the gate lets go on."""
    rows = connection.execute(
        "UPDATE activities SET held = 0, reason = '' WHERE project = ? AND environment = ? AND held = 1"
        f" AND {IS_OPEN} AND id NOT IN (SELECT activity FROM tickets WHERE ended_at IS NULL) RETURNING id",
        environment,
    ).fetchall()
    return sorted(ActivityId(row["id"]) for row in rows)


def let_go_on(connection: sqlite3.Connection, activity: ActivityId) -> bool:
    """Let one that is held begin anew. False: it is not held."""
    return connection.execute(
        f"UPDATE activities SET held = 0, reason = '' WHERE id = ? AND held = 1 AND {IS_OPEN}", (activity,),
    ).rowcount == 1


def say_why_held(connection: sqlite3.Connection, activity: ActivityId, reason: str) -> None:
    connection.execute("UPDATE activities SET reason = ? WHERE id = ? AND held = 1", (reason, activity))


def cancel_waiting(connection: sqlite3.Connection, activity: ActivityId, reason: str, now: datetime) -> bool:
    """pending → cancelled. False: it runs or has ended."""
    return connection.execute(
        "UPDATE activities SET state = 'cancelled', reason = ?, ended_at = ? WHERE id = ? AND state IN ('pending')",
        (reason, now.isoformat(), activity),
    ).rowcount == 1


def find(connection: sqlite3.Connection, activity: ActivityId) -> Activity | None:
    row = connection.execute("SELECT * FROM activities WHERE id = ?", (activity,)).fetchone()
    return from_row(row) if row else None


def open_ones(connection: sqlite3.Connection) -> list[Activity]:
    """Everything that waits or runs, oldest first."""
    rows = connection.execute("SELECT * FROM activities WHERE state IN ('pending', 'in_progress') ORDER BY id")
    return [from_row(row) for row in rows]


def open_lanes(connection: sqlite3.Connection) -> list[EnvironmentId]:
    """Lanes that have something open: first those where it runs (a freeze may be on there), then by age."""
    rows = connection.execute(
        "SELECT project, environment FROM activities WHERE state IN ('pending', 'in_progress') AND held = 0"
        " GROUP BY project, environment ORDER BY max(state = 'in_progress') DESC, min(id)",
    )
    return [EnvironmentId(row["project"], row["environment"]) for row in rows]


def waiting_in(connection: sqlite3.Connection, project: str) -> list[tuple[EnvironmentName, str]]:
    """(environment, kind) of what waits in a project."""
    rows = connection.execute(
        f"SELECT environment, kind FROM activities WHERE project = ? AND state = 'pending' AND {IS_OPEN}", (project,),
    )
    return [(EnvironmentName(row["environment"]), row["kind"]) for row in rows]


def waiting_behind(
    connection: sqlite3.Connection, environment: EnvironmentId, activity: ActivityId,
) -> list[Activity]:
    """What waits in a lane for an activity to end and is not held, oldest first."""
    rows = connection.execute(
        "SELECT * FROM activities WHERE project = ? AND environment = ? AND state = 'pending' AND held = 0"
        f" AND id > ? AND {IS_OPEN} ORDER BY id", (*environment, activity),
    )
    return [from_row(row) for row in rows]


def next_of_lane(connection: sqlite3.Connection, environment: EnvironmentId) -> Activity | None:
    """What runs in a lane, else what takes a bad release back, else what has waited longest and is not held."""
    row = connection.execute(
        "SELECT * FROM activities WHERE project = ? AND environment = ? AND state IN ('pending', 'in_progress')"
        " AND held = 0"
        " ORDER BY state = 'in_progress' DESC, json_extract(cause, '$.how') = ? DESC, id LIMIT 1",
        (*environment, BY_CHECKS),
    ).fetchone()
    return from_row(row) if row else None


def latest(
    connection: sqlite3.Connection, *, project: str | None = None, environment: EnvironmentId | None = None,
    states: Sequence[str] = (), limit: int = 50, projects: Sequence[str] | None = None,
    name_or_branch: str | None = None, before: int | None = None,
) -> list[Activity]:
    """Newest first.

    Args:
        before: Only those with a smaller number.
        projects: Only of these; None: of all.
        name_or_branch: An environment as people name it.
    """
    where: list[str] = ["id < ?"]
    values: list[str | int] = [before if before is not None else 2**62]
    if project is not None:
        where.append("project = ?")
        values.append(project)
    if environment is not None:
        where.append("project = ? AND environment = ?")
        values += environment
    if name_or_branch is not None:
        where.append("? IN (environment, branch)")
        values.append(name_or_branch)
    if projects is not None:
        where.append(f"project IN ({_marks(projects)})")
        values += list(projects)
    if states:
        where.append(f"state IN ({_marks(states)})")
        values += list(states)
        where += [IS_OPEN] if set(states) <= set(OPEN) else []
    rows = connection.execute(
        f"SELECT * FROM activities WHERE {' AND '.join(where)} ORDER BY id DESC LIMIT ?", (*values, limit),
    )
    return [from_row(row) for row in rows]


def overtaken(connection: sqlite3.Connection) -> list[tuple[ActivityId, ActivityId]]:
    """(one in progress, the newest of its kind that waits behind it), for every lane that has both."""
    rows = connection.execute(
        "SELECT older.id, max(newer.id) FROM activities older JOIN activities newer"
        " ON newer.project = older.project AND newer.environment = older.environment AND newer.id > older.id"
        " WHERE older.state = 'in_progress' AND newer.state = 'pending' AND newer.kind = older.kind"
        " GROUP BY older.id",
    )
    return [(ActivityId(older), ActivityId(newer)) for older, newer in rows]


def newest_of_each(connection: sqlite3.Connection) -> list[Activity]:
    """The newest activity of every environment."""
    rows = connection.execute(
        "SELECT * FROM activities WHERE id IN (SELECT max(id) FROM activities GROUP BY project, environment)",
    )
    return [from_row(row) for row in rows]


def newest_of_kinds(
    connection: sqlite3.Connection, environment: EnvironmentId, kinds: Sequence[str],
) -> Activity | None:
    row = connection.execute(
        f"SELECT * FROM activities WHERE project = ? AND environment = ? AND kind IN ({_marks(kinds)})"
        " ORDER BY id DESC LIMIT 1", (*environment, *kinds),
    ).fetchone()
    return from_row(row) if row else None


def count_by_state(connection: sqlite3.Connection, failed_since: datetime) -> dict[str, int]:
    """{`pending`, `in_progress`: now; `failed`: since a moment}"""
    rows = connection.execute(
        "SELECT state, count(*) FROM activities WHERE state IN ('pending', 'in_progress') GROUP BY state",
    )
    counts = {"pending": 0, "in_progress": 0, **{row[0]: row[1] for row in rows}}
    failed = connection.execute(
        "SELECT count(*) FROM activities WHERE state = 'failed' AND ended_at >= ?", (failed_since.isoformat(),),
    ).fetchone()[0]
    return {**counts, "failed": failed}


def _marks(values: Collection[object]) -> str:
    return ", ".join("?" * len(values))


def from_row(row: sqlite3.Row) -> Activity:
    """One of this table."""
    return Activity(
        id=ActivityId(row["id"]), environment=EnvironmentId(row["project"], row["environment"]),
        branch=row["branch"], kind=row["kind"], table_version=row["table_version"],
        commit=CommitId(row["commit_id"]) if row["commit_id"] else None,
        trigger=Trigger(**json.loads(row["cause"])), state=row["state"], reason=row["reason"],
        created_at=datetime.fromisoformat(row["created_at"]), started_at=_date(row["started_at"]),
        ended_at=_date(row["ended_at"]), held=bool(row["held"]),
    )


def _date(text: str | None) -> datetime | None:
    return datetime.fromisoformat(text) if text else None
