"""Variables in the database: sealed, by revision, and gone when nothing needs them."""

import json
import sqlite3
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import pytest

from deployd.environment.kept_variables import KeptVariable
from deployd.ids import EnvironmentId, EnvironmentName, ProjectId
from deployd.state import secrets, variables
from deployd.state.sealing import KeyWrong, Sealer
from deployd.state.variables import OF_PROJECT
from tests.doubles.store import MemoryStore

SHOP, MAIN = ProjectId("shop"), EnvironmentName("main-bvxea6i")
ONE, TWO = bytes(32), bytes(31) + b"x"
SEALER = Sealer([ONE])
NOW = datetime(2026, 1, 1, 12, tzinfo=UTC)


@pytest.fixture
def db() -> Iterator[sqlite3.Connection]:
    store = MemoryStore()
    yield store.db
    store.close()


def put(db: sqlite3.Connection, name: str, value: str, where: EnvironmentName = MAIN, **more: bool) -> int:
    now = NOW + timedelta(minutes=variables.revision_of(db, SHOP))
    return variables.put(db, SEALER, SHOP, where, KeptVariable(name=name, value=value, **more), "ada", now)


def at(db: sqlite3.Connection, revision: int) -> dict[str, str]:
    return {row.variable.name: row.variable.value for row in variables.all_at(db, SEALER, SHOP, revision, MAIN)}


def test_every_revision_has_what_was_kept_then(db: sqlite3.Connection) -> None:
    assert variables.revision_of(db, SHOP) == 0
    assert [put(db, "env:A", "1"), put(db, "env:B", "x"), put(db, "env:A", "2")] == [1, 2, 3]
    assert variables.remove(db, SHOP, MAIN, "env:B") == 4
    assert [at(db, revision) for revision in range(5)] == [
        {}, {"env:A": "1"}, {"env:A": "1", "env:B": "x"}, {"env:A": "2", "env:B": "x"}, {"env:A": "2"},
    ]


def test_a_row_says_who_set_it_and_since_when_there_is_one(db: sqlite3.Connection) -> None:
    put(db, "env:A", "1")
    put(db, "env:A", "2", sensitive=True)
    (row,) = variables.all_at(db, SEALER, SHOP, 2, MAIN)
    assert (row.who, row.created_at, row.updated_at) == ("ada", NOW, NOW + timedelta(minutes=1))
    assert row.variable == KeptVariable(name="env:A", value="2", sensitive=True)


def test_no_value_stands_in_the_database_as_it_is(db: sqlite3.Connection) -> None:
    put(db, "env:A", "open-sesame")
    put(db, "env:B", "very-secret", OF_PROJECT, sensitive=True)
    everything = "\n".join(db.iterdump())
    assert "env:A" in everything
    assert "open-sesame" not in everything
    assert "very-secret" not in everything


def test_a_value_that_was_moved_to_another_environment_does_not_open(db: sqlite3.Connection) -> None:
    put(db, "env:A", "of the project", OF_PROJECT)
    db.execute("UPDATE variables SET environment = ?", (MAIN,))
    with pytest.raises(KeyWrong, match="moved"):
        at(db, 1)


def test_what_something_live_sees_stays_and_what_nothing_sees_goes(db: sqlite3.Connection) -> None:
    for value in "1234":
        put(db, "env:A", value)
    variables.remove(db, SHOP, MAIN, "env:A")
    variables.forget_unneeded(db, SHOP, {2, 9})
    assert [at(db, revision) for revision in range(6)] == [{}, {}, {"env:A": "2"}, {}, {}, {}]
    variables.forget_unneeded(db, SHOP, set())
    assert db.execute("SELECT count(*) FROM variables").fetchone()[0] == 0


def test_what_is_kept_now_is_never_forgotten(db: sqlite3.Connection) -> None:
    put(db, "env:A", "1")
    variables.forget_unneeded(db, SHOP, set())
    assert at(db, 1) == {"env:A": "1"}


def test_with_the_data_of_an_environment_its_variables_go_and_those_of_the_project_stay(db: sqlite3.Connection) -> None:
    put(db, "env:A", "1")
    put(db, "env:P", "1", OF_PROJECT)
    secrets.forget_secrets(db, EnvironmentId(SHOP, MAIN))
    now = variables.revision_of(db, SHOP)
    assert at(db, now) == {}
    assert at(db, now - 1) == {"env:A": "1"}, "its children may run with it still"
    assert len(variables.all_at(db, SEALER, SHOP, now, OF_PROJECT)) == 1


def test_sensitive_ones_are_masked_also_when_nobody_keeps_them_any_more(db: sqlite3.Connection) -> None:
    put(db, "env:A", "before", sensitive=True)
    put(db, "env:A", '{"inner": "after"}', sensitive=True, is_json=True)
    put(db, "env:B", "open")
    assert sorted(map(json.dumps, variables.sensitive_values(db, SEALER))) == ['"before"', '{"inner": "after"}']


def test_a_change_of_keys_seals_variables_anew(db: sqlite3.Connection) -> None:
    put(db, "env:A", "1")
    put(db, "env:A", "2")
    assert secrets.are_any_sealed(db)
    assert secrets.seal_all(db, Sealer([TWO, ONE])) == 2
    found = variables.all_at(db, Sealer([TWO]), SHOP, 1, MAIN)
    assert [row.variable.value for row in found] == ["1"]
    assert secrets.all_secrets(db, Sealer([TWO])) == []
