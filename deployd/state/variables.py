"""Variables of projects and environments that people set. Every value is sealed, whether it is a secret or not.

A change makes a new revision of the project's variables, and ends the row before it: so what is live can be started
again with what it was deployed with, until it is deployed anew. What no version needs any more is removed.
"""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Collection, Iterator
from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Any

from deployd.environment.kept_variables import KeptVariable
from deployd.ids import EnvironmentName, ProjectId
from deployd.state.sealing import Sealer

ABOUT = "variable"
OF_PROJECT = EnvironmentName("")
"""In place of an environment's name: the project's own variables."""


@dataclass(frozen=True, slots=True)
class VariableRow:
    """One that is kept, with who set it."""

    environment: EnvironmentName
    """`OF_PROJECT`, or an environment's machine name."""
    variable: KeptVariable
    who: str
    created_at: datetime
    updated_at: datetime


def revision_of(connection: sqlite3.Connection, project: ProjectId) -> int:
    """Of a project's variables now; 0: nobody ever set one."""
    row = connection.execute("SELECT revision FROM variable_revisions WHERE project = ?", (project,)).fetchone()
    return int(row[0]) if row else 0


def all_at(
    connection: sqlite3.Connection, sealer: Sealer, project: ProjectId, revision: int, *environments: EnvironmentName,
) -> list[VariableRow]:
    """Variables as they were at a revision, by name: of these environments, and of the project for `OF_PROJECT`."""
    marks = ", ".join("?" for _ in environments)
    rows = connection.execute(
        "SELECT * FROM variables WHERE project = ? AND since <= ? AND (until IS NULL OR until > ?)"
        f" AND environment IN ({marks}) ORDER BY environment, name", (project, revision, revision, *environments),
    )
    return [_row(sealer, row) for row in rows]


def put(
    connection: sqlite3.Connection, sealer: Sealer, project: ProjectId, environment: EnvironmentName,
    variable: KeptVariable, who: str, now: datetime,
) -> int:
    """Keep a variable from now on, in place of one of that name. Returns the new revision."""
    before = connection.execute(
        "SELECT created_at FROM variables WHERE project = ? AND environment = ? AND name = ? AND until IS NULL",
        (project, environment, variable.name),
    ).fetchone()
    revision = remove(connection, project, environment, variable.name)
    traits = asdict(variable)
    value = traits.pop("value")
    del traits["name"]
    connection.execute(
        "INSERT INTO variables (project, environment, name, since, value, traits, who, created_at, updated_at)"
        " VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)",
        (project, environment, variable.name, revision,
         sealer.seal(value, project, environment, ABOUT, variable.name, str(revision)), json.dumps(traits), who,
         before["created_at"] if before else now.isoformat(), now.isoformat()),
    )
    return revision


def remove(connection: sqlite3.Connection, project: ProjectId, environment: EnvironmentName, name: str) -> int:
    """Keep a variable no more. Returns the new revision; what is live may need the row a while."""
    revision = _next_revision(connection, project)
    connection.execute(
        "UPDATE variables SET until = ? WHERE project = ? AND environment = ? AND name = ? AND until IS NULL",
        (revision, project, environment, name),
    )
    return revision


def remove_all(connection: sqlite3.Connection, project: ProjectId, environment: EnvironmentName) -> None:
    """The environment is gone for good, and its variables with it."""
    if connection.execute(
        "SELECT 1 FROM variables WHERE project = ? AND environment = ? LIMIT 1", (project, environment),
    ).fetchone():
        connection.execute(
            "UPDATE variables SET until = ? WHERE project = ? AND environment = ? AND until IS NULL",
            (_next_revision(connection, project), project, environment),
        )


def forget_unneeded(connection: sqlite3.Connection, project: ProjectId, seen: Collection[int]) -> None:
    """Remove what nobody keeps any more, unless a version sees it.

    Args:
        seen: Revisions that versions see.
    """
    ended = connection.execute(
        "SELECT environment, name, since, until FROM variables WHERE project = ? AND until IS NOT NULL", (project,),
    ).fetchall()
    connection.executemany(
        "DELETE FROM variables WHERE project = ? AND environment = ? AND name = ? AND since = ?",
        [(project, row["environment"], row["name"], row["since"]) for row in ended
         if not any(row["since"] <= revision < row["until"] for revision in seen)],
    )


def sensitive_values(connection: sqlite3.Connection, sealer: Sealer) -> list[Any]:
    """Of all that must not be read in a log, those included that something live sees and nobody keeps any more.

    Raises:
        KeyWrong: One of them cannot be opened.
    """
    rows = connection.execute("SELECT * FROM variables WHERE json_extract(traits, '$.sensitive')")
    return [_row(sealer, row).variable.content for row in rows]


def sealed_rows(connection: sqlite3.Connection) -> Iterator[tuple[tuple[str, ...], str]]:
    """(what it is about, as it is stored) of every value."""
    for row in connection.execute("SELECT project, environment, name, since, value FROM variables"):
        yield (row["project"], row["environment"], ABOUT, row["name"], str(row["since"])), row["value"]


def put_sealed(connection: sqlite3.Connection, about: tuple[str, ...], sealed: str) -> None:
    """Store a value as it is sealed now."""
    project, environment, _, name, since = about
    connection.execute(
        "UPDATE variables SET value = ? WHERE project = ? AND environment = ? AND name = ? AND since = ?",
        (sealed, project, environment, name, int(since)),
    )


def _next_revision(connection: sqlite3.Connection, project: ProjectId) -> int:
    connection.execute(
        "INSERT INTO variable_revisions (project, revision) VALUES (?, 1)"
        " ON CONFLICT (project) DO UPDATE SET revision = revision + 1", (project,),
    )
    return revision_of(connection, project)


def _row(sealer: Sealer, row: sqlite3.Row) -> VariableRow:
    traits = json.loads(row["traits"])
    traits["applications"] = tuple(traits["applications"])
    value = sealer.open(row["value"], row["project"], row["environment"], ABOUT, row["name"], str(row["since"]))
    return VariableRow(
        EnvironmentName(row["environment"]), KeptVariable(name=row["name"], value=value, **traits), row["who"],
        datetime.fromisoformat(row["created_at"]), datetime.fromisoformat(row["updated_at"]),
    )
