"""When housekeeping first saw that nobody needs a thing, and which rows nobody needs."""

from __future__ import annotations

import sqlite3
from collections.abc import Collection, Iterable
from datetime import datetime

from deployd.ids import ActivityId, EnvironmentId, ProjectId

Key = tuple[str, str]
"""(kind, name)"""


def note(connection: sqlite3.Connection, keys: Collection[Key], now: datetime) -> dict[Key, datetime]:
    """Write down what nobody needs now, and forget what was written of anything else. Gives since when."""
    before = {
        (row["kind"], row["name"]): datetime.fromisoformat(row["since"])
        for row in connection.execute("SELECT kind, name, since FROM unneeded")
    }
    connection.executemany("DELETE FROM unneeded WHERE kind = ? AND name = ?", before.keys() - set(keys))
    connection.executemany(
        "INSERT INTO unneeded (kind, name, since) VALUES (?, ?, ?)",
        [(kind, name, now.isoformat()) for kind, name in set(keys) - before.keys()],
    )
    return {key: before.get(key, now) for key in keys}


def since(connection: sqlite3.Connection) -> dict[Key, datetime]:
    """What is written down."""
    return {
        (row["kind"], row["name"]): datetime.fromisoformat(row["since"])
        for row in connection.execute("SELECT kind, name, since FROM unneeded")
    }


def kept_versions(connection: sqlite3.Connection, keep: int) -> dict[ActivityId, str]:
    """{activity: version}: the live version of each environment, and the newest ones that it can go back to.

    Args:
        keep: How many besides the live one.
    """
    rows = connection.execute(
        "SELECT activity, version FROM (SELECT activity, version, live_activity, row_number() OVER"
        " (PARTITION BY versions.project, versions.environment ORDER BY activity DESC) AS place FROM versions"
        " JOIN environments ON environments.project = versions.project AND name = environment)"
        " WHERE place <= ? OR activity = live_activity", (keep + 1,),
    )
    return {ActivityId(row["activity"]): row["version"] for row in rows}


def is_in_use(connection: sqlite3.Connection, activity: str) -> bool:
    """Whether an activity waits, runs or is what visitors see, or its containers are. Once this is over, it never comes
    again.

    Args:
        activity: Its number, as the name of a folder; what is no number is not in use.
    """
    return connection.execute(
        "SELECT 1 FROM activities WHERE CAST(id AS TEXT) = ?1 AND (state IN ('pending', 'in_progress')"
        " OR id IN (SELECT live_activity FROM environments)) UNION ALL"
        " SELECT 1 FROM environments JOIN versions ON activity = live_activity, json_each(version, '$.apps') AS app"
        " WHERE CAST(json_extract(app.value, '$.made_by') AS TEXT) = ?1", (activity,),
    ).fetchone() is not None


def environments_with_secrets(connection: sqlite3.Connection) -> set[EnvironmentId]:
    rows = connection.execute("SELECT DISTINCT project, environment FROM secrets")
    return {EnvironmentId(row["project"], row["environment"]) for row in rows}


def old_activities(connection: sqlite3.Connection, before: datetime, kept: Iterable[ActivityId]) -> list[ActivityId]:
    """Activities that ended before a moment and that nothing refers to any more, oldest first.

    The newest of each kind in each environment stays: by it a lost push is told from one that came.
    """
    rows = connection.execute(
        "SELECT id FROM activities WHERE ended_at < ?"
        " AND id NOT IN (SELECT max(id) FROM activities GROUP BY project, environment, kind) ORDER BY id",
        (before.isoformat(),),
    )
    staying = set(kept)
    return [ActivityId(row["id"]) for row in rows if row["id"] not in staying]


def forget_activity(connection: sqlite3.Connection, activity: ActivityId) -> None:
    """Remove an activity that has ended, with its journal and its version; another is left alone."""
    ended = "(SELECT id FROM activities WHERE id = ? AND ended_at IS NOT NULL)"
    for statement in (
        f"DELETE FROM journal WHERE activity IN {ended}", f"DELETE FROM versions WHERE activity IN {ended}",
        f"DELETE FROM bad_releases WHERE activity IN {ended}", f"DELETE FROM reports WHERE activity IN {ended}",
        f"DELETE FROM activities WHERE id IN {ended}",
    ):
        connection.execute(statement, (activity,))


def forget_deliveries(connection: sqlite3.Connection, before: datetime, most: int) -> int:
    """Forget deliveries of webhooks that came before a moment; forges repeat them for some days at most.

    Args:
        most: So many of each project stay, the newest.
    """
    return connection.execute(
        "DELETE FROM deliveries WHERE at < ? OR (forge, project, delivery) IN (SELECT forge, project, delivery FROM"
        " (SELECT *, row_number() OVER (PARTITION BY project ORDER BY at DESC) AS place FROM deliveries)"
        " WHERE place > ?)", (before.isoformat(), most),
    ).rowcount


def ended_activities(
    connection: sqlite3.Connection, kept: Iterable[ActivityId],
) -> dict[ProjectId, list[ActivityId]]:
    """Activities that ended and that nothing refers to any more, newest first; as `old_activities`, however old."""
    staying, found = set(kept), dict[ProjectId, list[ActivityId]]()
    for row in connection.execute(
        "SELECT id, project FROM activities WHERE ended_at IS NOT NULL"
        " AND id NOT IN (SELECT max(id) FROM activities GROUP BY project, environment, kind) ORDER BY id DESC",
    ):
        if row["id"] not in staying:
            found.setdefault(ProjectId(row["project"]), []).append(ActivityId(row["id"]))
    return found
