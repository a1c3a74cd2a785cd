"""What is secret in the database: passwords of services, the entropy of projects, and values of variables, each sealed
for its own row."""

from __future__ import annotations

import secrets
import sqlite3
from collections.abc import Iterator

from deployd.ids import EnvironmentId, ProjectId
from deployd.state import variables
from deployd.state.sealing import Sealer, is_sealed

ENTROPY_CHARACTERS = 56   # as on the hosted platforms
SECRET_BYTES = 24
ENTROPY = "entropy"
VARIABLES = "variables"
SCRUBBED = "secrets-scrubbed"
"""Marks a database in whose free pages there is nothing of the time before its secrets were sealed."""


def ensure_entropy(connection: sqlite3.Connection, sealer: Sealer, project: ProjectId) -> str:
    """Random characters that belong to a project for ever."""
    made = sealer.seal(secrets.token_hex(ENTROPY_CHARACTERS // 2), project, ENTROPY)
    connection.execute("INSERT INTO projects (id, entropy) VALUES (?, ?) ON CONFLICT DO NOTHING", (project, made))
    return entropy_of(connection, sealer, project) or ""


def entropy_of(connection: sqlite3.Connection, sealer: Sealer, project: ProjectId) -> str | None:
    """None: it has none yet."""
    row = connection.execute("SELECT entropy FROM projects WHERE id = ?", (project,)).fetchone()
    return sealer.open(row["entropy"], project, ENTROPY) if row else None


def ensure_secret(
    connection: sqlite3.Connection, sealer: Sealer, environment: EnvironmentId, service: str,
    name: str,
) -> str:
    """A password, made when it is first asked for."""
    key = (*environment, service, name)
    connection.execute(
        "INSERT INTO secrets (project, environment, service, name, secret) VALUES (?, ?, ?, ?, ?)"
        " ON CONFLICT DO NOTHING",
        (*key, sealer.seal(secrets.token_urlsafe(SECRET_BYTES), *key)),
    )
    return secret_of(connection, sealer, environment, service, name) or ""


def secret_of(
    connection: sqlite3.Connection, sealer: Sealer, environment: EnvironmentId, service: str,
    name: str,
) -> str | None:
    """None: nobody has asked for it yet."""
    key = (*environment, service, name)
    row = connection.execute(
        "SELECT secret FROM secrets WHERE project = ? AND environment = ? AND service = ? AND name = ?", key,
    ).fetchone()
    return sealer.open(row["secret"], *key) if row else None


def all_secrets(connection: sqlite3.Connection, sealer: Sealer) -> list[str]:
    """Everything secret that was made for any environment or project. Of variables see `variables.sensitive_values`.

    Raises:
        KeyWrong: One of them cannot be opened.
    """
    return [sealer.open(stored, *about) for table, about, stored in _rows(connection) if table != VARIABLES]


def secrets_named(
    connection: sqlite3.Connection, sealer: Sealer, name: str,
) -> list[tuple[EnvironmentId, str, str]]:
    """(environment, service, secret) of all that have this name."""
    return [
        (EnvironmentId(row["project"], row["environment"]), row["service"],
         sealer.open(row["secret"], *tuple(row)[:4]))
        for row in connection.execute(
            "SELECT project, environment, service, name, secret FROM secrets WHERE name = ?", (name,),
        )
    ]


def forget_secrets(connection: sqlite3.Connection, environment: EnvironmentId) -> None:
    """The environment's data is gone too, and so are its variables."""
    connection.execute("DELETE FROM secrets WHERE project = ? AND environment = ?", environment)
    variables.remove_all(connection, *environment)


def are_any_sealed(connection: sqlite3.Connection) -> bool:
    return any(is_sealed(stored) for _, _, stored in _rows(connection))


def seal_all(connection: sqlite3.Connection, sealer: Sealer) -> int:
    """Seal what is not sealed yet, or with an earlier key. Returns how many; may be repeated.

    Raises:
        KeyWrong: One cannot be opened; nothing was changed.
    """
    changed = 0
    for table, about, stored in list(_rows(connection)):
        if is_sealed(stored):
            plain = sealer.open(stored, *about)   # also when it may stay: a wrong key is noticed at the start
            if sealer.is_current(stored):
                continue
        else:
            plain = stored
        sealed = sealer.seal(plain, *about)
        if table == "projects":
            connection.execute("UPDATE projects SET entropy = ? WHERE id = ?", (sealed, about[0]))
        elif table == VARIABLES:
            variables.put_sealed(connection, about, sealed)
        else:
            connection.execute(
                "UPDATE secrets SET secret = ? WHERE project = ? AND environment = ? AND service = ? AND name = ?",
                (sealed, *about),
            )
        changed += 1
    if changed:
        connection.execute("DELETE FROM marks WHERE name = ?", (SCRUBBED,))
    return changed


def is_scrubbed(connection: sqlite3.Connection) -> bool:
    return connection.execute("SELECT 1 FROM marks WHERE name = ?", (SCRUBBED,)).fetchone() is not None


def mark_scrubbed(connection: sqlite3.Connection) -> None:
    connection.execute("INSERT INTO marks (name) VALUES (?) ON CONFLICT DO NOTHING", (SCRUBBED,))


def _rows(connection: sqlite3.Connection) -> Iterator[tuple[str, tuple[str, ...], str]]:
    """(table, what it is about, as it is stored)"""
    for row in connection.execute("SELECT id, entropy FROM projects"):
        yield "projects", (row["id"], ENTROPY), row["entropy"]
    for row in connection.execute("SELECT project, environment, service, name, secret FROM secrets"):
        yield "secrets", tuple(row)[:4], row["secret"]
    for about, stored in variables.sealed_rows(connection):
        yield VARIABLES, about, stored
