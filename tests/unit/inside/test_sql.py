"""Which client is started for which relationship, and that no password is in its command line."""

from __future__ import annotations

import pytest

from deployd.environment.relationships import Address, Connection, Credential, Related
from deployd.inside.sql import NoClient, SqlAsked, client_of, is_sql, read_sql


def related(name: str, scheme: str, port: int, password: str | None = "secret") -> Related:
    return Related(name, "db", "main", f"{scheme}:1", Connection(scheme, port), Address("db", "10.0.0.2", "c"),
                   Credential("user", password, "main"))


CACHE, DATABASE = related("cache", "redis", 6379, None), related("database", "mysql", 3306)
QUEUE = related("queue", "amqp", 5672)


@pytest.mark.parametrize(("command", "expected"), [
    ("deployd-sql", SqlAsked()), ("deployd-sql database", SqlAsked("database")),
    ("deployd-sql -- -e 'SELECT 1'", SqlAsked("", ("-e", "SELECT 1"))),
    ("deployd-sql database -- --batch -e 'a; b'", SqlAsked("database", ("--batch", "-e", "a; b"))),
    ("deployd-sqlite x", None), ("echo deployd-sql", None), ("deployd-sql 'open", None),
])
def test_the_command_is_read(command: str, expected: SqlAsked | None) -> None:
    assert read_sql(command) == expected
    assert is_sql(command) is (expected is not None)


def test_two_relationships_at_once_are_refused() -> None:
    with pytest.raises(NoClient):
        read_sql("deployd-sql one two")
    assert is_sql("deployd-sql one two")


def test_a_database_is_meant_before_a_cache() -> None:
    client = client_of(SqlAsked("", ("-e", "SELECT 1")), [CACHE, QUEUE, DATABASE])
    assert "--host=database.internal" in client.argv
    assert client.argv[-2:] == ("-e", "SELECT 1")
    assert client.environment == {"MYSQL_PWD": "secret"}


@pytest.mark.parametrize("found", [DATABASE, related("database", "pgsql", 5432), related("database", "redis", 6379)])
def test_no_password_is_in_a_command_line(found: Related) -> None:
    client = client_of(SqlAsked("database"), [found])
    assert not any("secret" in word for word in client.argv)
    assert list(client.environment.values()) == ["secret"]


def test_a_cache_without_a_password_gets_none() -> None:
    assert client_of(SqlAsked("cache"), [CACHE]).environment == {}


@pytest.mark.parametrize(("asked", "there", "said"), [
    (SqlAsked("nope"), [DATABASE], "there is no relationship nope"), (SqlAsked(), [QUEUE], "there is no database"),
    (SqlAsked("queue"), [QUEUE], "there is no client for queue"), (SqlAsked(), [], "there is no database"),
])
def test_what_has_no_client_is_said(asked: SqlAsked, there: list[Related], said: str) -> None:
    with pytest.raises(NoClient, match=said):
        client_of(asked, there)
