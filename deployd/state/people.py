"""Persons, their tokens and their SSH keys, as rows."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Mapping
from datetime import datetime

from deployd.access.people import People, Person, PersonalToken, PublicKey
from deployd.access.roles import Role


def read_all(connection: sqlite3.Connection) -> People:
    return People(
        tuple(_person(row) for row in connection.execute("SELECT * FROM persons ORDER BY id")),
        tuple(_token(row) for row in connection.execute("SELECT * FROM tokens ORDER BY person, label")),
        tuple(_key(row) for row in connection.execute("SELECT * FROM keys ORDER BY person, label")),
    )


def find(connection: sqlite3.Connection, person: str) -> Person | None:
    row = connection.execute("SELECT * FROM persons WHERE id = ?", (person,)).fetchone()
    return _person(row) if row else None


def put_person(connection: sqlite3.Connection, person: Person) -> None:
    """Add one, or write what is new of one."""
    connection.execute(
        "INSERT INTO persons (id, name, email, roles, since, gone) VALUES (?, ?, ?, ?, ?, ?) ON CONFLICT (id) DO "
        "UPDATE SET name = excluded.name, email = excluded.email, roles = excluded.roles, gone = excluded.gone",
        (person.id, person.name, person.email,
         json.dumps({name: role.value for name, role in person.roles.items()}, sort_keys=True),
         person.since.isoformat(), person.left.isoformat() if person.left else None),
    )


def add_token(connection: sqlite3.Connection, token: PersonalToken) -> int:
    """Returns its number; the one that it comes with does not count."""
    return _number(connection.execute(
        "INSERT INTO tokens (person, label, digest, role, projects, since, ends) VALUES (?, ?, ?, ?, ?, ?, ?)",
        (token.person, token.label, token.digest, token.role.value, json.dumps(token.projects),
         token.since.isoformat(), token.ends.isoformat() if token.ends else None),
    ))


def add_key(connection: sqlite3.Connection, key: PublicKey) -> int:
    """Returns its number; the one that it comes with does not count."""
    return _number(connection.execute(
        "INSERT INTO keys (person, label, blob, since) VALUES (?, ?, ?, ?)",
        (key.person, key.label, key.blob, key.since.isoformat()),
    ))


def remove_token(connection: sqlite3.Connection, number: int) -> bool:
    """False: there is none."""
    return connection.execute("DELETE FROM tokens WHERE number = ?", (number,)).rowcount == 1


def remove_key(connection: sqlite3.Connection, number: int) -> bool:
    """False: there is none."""
    return connection.execute("DELETE FROM keys WHERE number = ?", (number,)).rowcount == 1


def remove_credentials(connection: sqlite3.Connection, person: str) -> None:
    """All tokens and keys of somebody."""
    connection.execute("DELETE FROM tokens WHERE person = ?", (person,))
    connection.execute("DELETE FROM keys WHERE person = ?", (person,))


def note_uses(connection: sqlite3.Connection, uses: Mapping[tuple[str, int], tuple[datetime, str]]) -> None:
    """
    Args:
        uses: {(`token` or `key`, number): (when, from where)}
    """
    for (kind, number), (when, address) in uses.items():
        table = {"token": "tokens", "key": "keys"}[kind]
        connection.execute(
            f"UPDATE {table} SET used = ?, used_from = CASE WHEN ? = '' THEN used_from ELSE ? END WHERE number = ?",
            (when.isoformat(timespec="minutes"), address, address, number),
        )


def _number(cursor: sqlite3.Cursor) -> int:
    assert cursor.lastrowid is not None
    return cursor.lastrowid


def _person(row: sqlite3.Row) -> Person:
    roles = {name: Role(role) for name, role in json.loads(row["roles"]).items()}
    return Person(id=row["id"], name=row["name"], email=row["email"], roles=roles,
                  since=datetime.fromisoformat(row["since"]), left=_moment(row["gone"]))


def _token(row: sqlite3.Row) -> PersonalToken:
    return PersonalToken(
        number=row["number"], person=row["person"], label=row["label"], digest=row["digest"], role=Role(row["role"]),
        projects=tuple(json.loads(row["projects"])), since=datetime.fromisoformat(row["since"]),
        ends=_moment(row["ends"]), used=_moment(row["used"]), used_from=row["used_from"],
    )


def _key(row: sqlite3.Row) -> PublicKey:
    return PublicKey(
        number=row["number"], person=row["person"], label=row["label"], blob=row["blob"],
        since=datetime.fromisoformat(row["since"]), used=_moment(row["used"]), used_from=row["used_from"],
    )


def _moment(text: str | None) -> datetime | None:
    return datetime.fromisoformat(text) if text else None
