"""Who is in an environment over SSH now. What was and what is no more stands in the audit log."""

from __future__ import annotations

import sqlite3
from dataclasses import dataclass
from datetime import datetime

from deployd.ids import ActivityId, EnvironmentId


@dataclass(frozen=True, slots=True, kw_only=True)
class Stay:
    """Somebody in an environment: in a shell, with a command, with files, or at the end of a tunnel."""

    id: str
    """Of the command in its container, as the engine has it; of a tunnel any word."""
    environment: EnvironmentId
    part: str
    """Application or worker."""
    activity: ActivityId
    """Whose version it is."""
    kind: str
    """`shell`, `command`, `sftp`, `sql` or `tunnel`."""
    who: str
    by: str
    """The key's label."""
    address: str
    connection: str
    """A word for the connection over SSH."""
    said: str
    """The command, or where the tunnel leads."""
    began: datetime


def add(connection: sqlite3.Connection, stay: Stay) -> None:
    """Once or again."""
    connection.execute(
        "INSERT OR IGNORE INTO stays (id, project, environment, part, activity, kind, who, by, address, connection,"
        " said, began) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
        (stay.id, *stay.environment, stay.part, stay.activity, stay.kind, stay.who, stay.by, stay.address,
         stay.connection, stay.said, stay.began.isoformat()),
    )


def find(connection: sqlite3.Connection, number: str) -> Stay | None:
    row = connection.execute("SELECT * FROM stays WHERE id = ?", (number,)).fetchone()
    return _stay(row) if row else None


def list_all(connection: sqlite3.Connection, environment: EnvironmentId | None = None) -> list[Stay]:
    """Oldest first."""
    where, values = (" WHERE project = ? AND environment = ?", environment) if environment else ("", ())
    return [_stay(row) for row in connection.execute(f"SELECT * FROM stays{where} ORDER BY began", values)]


def remove(connection: sqlite3.Connection, number: str) -> bool:
    """False: it was removed before."""
    return connection.execute("DELETE FROM stays WHERE id = ?", (number,)).rowcount == 1


def _stay(row: sqlite3.Row) -> Stay:
    return Stay(
        id=row["id"], environment=EnvironmentId(row["project"], row["environment"]), part=row["part"],
        activity=ActivityId(row["activity"]), kind=row["kind"], who=row["who"], by=row["by"], address=row["address"],
        connection=row["connection"], said=row["said"], began=datetime.fromisoformat(row["began"]),
    )
