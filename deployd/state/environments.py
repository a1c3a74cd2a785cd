"""Environments, what was live in them, and their subnets."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime

from deployd.ids import ActivityId, EnvironmentId, EnvironmentName, ProjectId
from deployd.state import activities, answers, bad_releases, locks
from deployd.state.rests import AWAKE, INACTIVE, PAUSED, Rest


@dataclass(frozen=True, slots=True)
class Environment:
    id: EnvironmentId
    branch: str
    state: str
    created_at: datetime
    live_activity: ActivityId | None
    """Whose version is live."""
    live_since: datetime | None = None
    rest: Rest = AWAKE
    rested_at: datetime | None = None
    """Since when it is at rest."""
    visited_at: datetime | None = None
    """When somebody came last, as far as it was noted."""
    title: str = ""
    parent: str = ""
    """A branch; empty: nobody said one."""

    @property
    def project(self) -> ProjectId:
        return self.id.project

    @property
    def name(self) -> EnvironmentName:
        return self.id.name


@dataclass(frozen=True, slots=True)
class LiveEnvironment:
    id: EnvironmentId
    branch: str
    activity: ActivityId
    """Whose version is live."""


def ensure(
    connection: sqlite3.Connection, environment: EnvironmentId, branch: str, now: datetime,
) -> None:
    connection.execute(
        "INSERT INTO environments (project, name, branch, state, created_at) VALUES (?, ?, ?, 'active', ?)"
        " ON CONFLICT DO NOTHING",
        (*environment, branch, now.isoformat()),
    )


def ensure_stored(
    connection: sqlite3.Connection, environment: EnvironmentId, branch: str, now: datetime, most: int,
) -> bool:
    """Have a row of a branch that is stored and not deployed, unless its project has too many of these.

    Returns:
        Whether there is one.
    """
    connection.execute(
        "INSERT INTO environments (project, name, branch, state, created_at, rest, rested_at)"
        f" SELECT ?1, ?2, ?3, 'active', ?4, '{INACTIVE}', ?4 WHERE (SELECT count(*) FROM environments"
        f" WHERE project = ?1 AND rest = '{INACTIVE}') < ?5 ON CONFLICT DO NOTHING",
        (*environment, branch, now.isoformat(), most),
    )
    return find(connection, environment) is not None


def describe(
    connection: sqlite3.Connection, environment: EnvironmentId, title: str | None, parent: str | None,
) -> None:
    """What people call it, and its parent; None: as before."""
    connection.execute(
        "UPDATE environments SET title = coalesce(?, title), parent = coalesce(?, parent)"
        " WHERE project = ? AND name = ?", (title, parent, *environment),
    )


def forget(connection: sqlite3.Connection, environment: EnvironmentId) -> None:
    """The environment is gone; activities and their journals stay, and its secrets do as long as its data is kept.

    Its lock goes with it, and nobody could take it away any more: what was held goes on.
    """
    connection.execute("DELETE FROM environments WHERE project = ? AND name = ?", environment)
    locks.remove(connection, environment)
    activities.release(connection, environment)
    answers.remove(connection, environment)
    bad_releases.forget(connection, environment)


def list_all(connection: sqlite3.Connection, project: str | None = None) -> list[Environment]:
    rows = connection.execute(
        "SELECT environments.*, at AS live_since FROM environments LEFT JOIN versions ON activity = live_activity"
        " WHERE ? IS NULL OR environments.project = ? ORDER BY environments.project, name", (project, project),
    )
    return [_environment(row) for row in rows]


def count_by_project(connection: sqlite3.Connection) -> dict[str, int]:
    """{project: environments}; projects without any are not in it, nor branches that are stored and never ran."""
    return dict(connection.execute(
        f"SELECT project, count(*) FROM environments WHERE rest != '{INACTIVE}' OR live_activity IS NOT NULL"
        " GROUP BY project",
    ).fetchall())


def names_taken(connection: sqlite3.Connection) -> list[EnvironmentId]:
    """All that there are, and deleted ones whose data is kept."""
    rows = connection.execute("SELECT project, name FROM environments UNION SELECT project, environment FROM secrets")
    return [EnvironmentId(row[0], row[1]) for row in rows]


def find(connection: sqlite3.Connection, environment: EnvironmentId) -> Environment | None:
    row = connection.execute(
        "SELECT environments.*, at AS live_since FROM environments LEFT JOIN versions ON activity = live_activity"
        " WHERE environments.project = ? AND name = ?", environment,
    ).fetchone()
    return _environment(row) if row else None


def set_live(
    connection: sqlite3.Connection, environment: EnvironmentId, activity: ActivityId, version: str,
    now: datetime,
) -> None:
    """Write down that a version is live, and runs. May be repeated."""
    connection.execute(
        "INSERT INTO versions (activity, project, environment, at, version) VALUES (?, ?, ?, ?, ?)"
        " ON CONFLICT (activity) DO UPDATE SET version = excluded.version",
        (activity, *environment, now.isoformat(), version),
    )
    connection.execute(
        "UPDATE environments SET live_activity = ?, rest = '', rested_at = NULL WHERE project = ? AND name = ?",
        (activity, *environment),
    )


def version_of(connection: sqlite3.Connection, activity: ActivityId) -> str | None:
    row = connection.execute("SELECT version FROM versions WHERE activity = ?", (activity,)).fetchone()
    return row["version"] if row else None


def version_in(connection: sqlite3.Connection, environment: EnvironmentId, activity: ActivityId) -> str | None:
    """A version, when it was live in this environment and is kept."""
    row = connection.execute(
        "SELECT version FROM versions WHERE activity = ? AND project = ? AND environment = ?", (activity, *environment),
    ).fetchone()
    return row["version"] if row else None


def live_version(connection: sqlite3.Connection, environment: EnvironmentId) -> str | None:
    row = connection.execute(
        "SELECT version FROM versions JOIN environments ON activity = live_activity"
        " WHERE environments.project = ? AND environments.name = ?", environment,
    ).fetchone()
    return row["version"] if row else None


def live_versions(connection: sqlite3.Connection) -> list[tuple[EnvironmentId, str]]:
    """(environment, version) of every environment that has something live and runs, or in which something is done."""
    rows = connection.execute(
        "SELECT environments.project, name, version FROM versions JOIN environments ON activity = live_activity"
        " WHERE rest = '' OR EXISTS (SELECT 1 FROM activities WHERE activities.project = environments.project"
        f" AND activities.environment = environments.name AND {activities.IS_OPEN})",
    )
    return [(_id(row), row["version"]) for row in rows]


def kept_live_versions(connection: sqlite3.Connection, project: ProjectId) -> list[str]:
    """Versions of a project that are live, also of what is at rest: it may be started again."""
    rows = connection.execute(
        "SELECT version FROM versions JOIN environments ON activity = live_activity WHERE environments.project = ?",
        (project,),
    )
    return [row["version"] for row in rows]


def parents_named(connection: sqlite3.Connection, project: ProjectId) -> dict[str, str]:
    """{branch: its parent}, where somebody named one that is there"""
    rows = connection.execute(
        "SELECT branch, parent FROM environments WHERE project = ?1 AND parent IN"
        " (SELECT branch FROM environments WHERE project = ?1)", (project,),
    )
    return dict(rows.fetchall())


def live_ones(connection: sqlite3.Connection) -> list[LiveEnvironment]:
    """Every environment that has something live, and that runs; without the versions, which are large."""
    return _live_and(connection, AWAKE)


def paused_ones(connection: sqlite3.Connection) -> list[LiveEnvironment]:
    """Every environment that its next visitor wakes."""
    return _live_and(connection, PAUSED)


def _live_and(connection: sqlite3.Connection, rest: Rest) -> list[LiveEnvironment]:
    rows = connection.execute(
        "SELECT project, name, branch, live_activity FROM environments WHERE live_activity IS NOT NULL AND rest = ?"
        " ORDER BY project, name", (rest,),
    )
    return [LiveEnvironment(_id(row), row["branch"], row["live_activity"]) for row in rows]


def earlier_versions(
    connection: sqlite3.Connection, environment: EnvironmentId, limit: int,
) -> list[tuple[ActivityId, datetime, str]]:
    """(activity, when it became live, version), newest first, the live one included."""
    rows = connection.execute(
        "SELECT activity, at, version FROM versions WHERE project = ? AND environment = ?"
        " ORDER BY activity DESC LIMIT ?",
        (*environment, limit),
    )
    return [(ActivityId(row["activity"]), datetime.fromisoformat(row["at"]), row["version"]) for row in rows]


def ensure_subnet(
    connection: sqlite3.Connection, environment: EnvironmentId,
    choose: Callable[[frozenset[str]], str], may_keep: Callable[[str], bool] = lambda _: True,
) -> str:
    """The environment's subnet; chosen once, so that two environments never get the same.

    Args:
        choose: Gives a free one, told those that are taken.
        may_keep: Whether the one that was chosen before is still good.
    """
    row = connection.execute(
        "SELECT subnet FROM environments WHERE project = ? AND name = ?", environment,
    ).fetchone()
    if row is not None and row["subnet"] and may_keep(row["subnet"]):
        return str(row["subnet"])
    rows = connection.execute("SELECT subnet FROM environments WHERE subnet IS NOT NULL")
    chosen = choose(frozenset(other["subnet"] for other in rows))
    connection.execute("UPDATE environments SET subnet = ? WHERE project = ? AND name = ?", (chosen, *environment))
    return chosen


def subnets(connection: sqlite3.Connection) -> list[tuple[EnvironmentId, str, str]]:
    """(environment, branch, subnet) of all that have one."""
    rows = connection.execute(
        "SELECT project, name, branch, subnet FROM environments WHERE subnet IS NOT NULL ORDER BY project, name",
    )
    return [(_id(row), row["branch"], row["subnet"]) for row in rows]


def subnet_of(connection: sqlite3.Connection, environment: EnvironmentId) -> str | None:
    row = connection.execute(
        "SELECT subnet FROM environments WHERE project = ? AND name = ?", environment,
    ).fetchone()
    return row["subnet"] if row else None


def ensure_uid(connection: sqlite3.Connection, project: ProjectId, first: int) -> int:
    """The number of the user of a project's containers: the next one from `first` on. None is ever given twice.

    The project's row is there: whoever has an entropy has one.
    """
    connection.execute(
        "UPDATE projects SET uid = (SELECT max(?, 1 + coalesce(max(uid), 0)) FROM projects)"
        " WHERE id = ? AND uid IS NULL",
        (first, project),
    )
    return uid_of(connection, project) or 0


def uid_of(connection: sqlite3.Connection, project: ProjectId) -> int | None:
    """None: it has none yet."""
    row = connection.execute("SELECT uid FROM projects WHERE id = ?", (project,)).fetchone()
    return row["uid"] if row else None


def _id(row: sqlite3.Row) -> EnvironmentId:
    return EnvironmentId(row["project"], row["name"])


def _environment(row: sqlite3.Row) -> Environment:
    return Environment(
        _id(row), row["branch"], row["state"],
        datetime.fromisoformat(row["created_at"]),
        ActivityId(row["live_activity"]) if row["live_activity"] is not None else None,
        _date(row["live_since"]), row["rest"], _date(row["rested_at"]), _date(row["visited_at"]), row["title"],
        row["parent"],
    )


def _date(text: str | None) -> datetime | None:
    return datetime.fromisoformat(text) if text else None
