"""Sessions, the audit log, and requests that are not done twice."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from deployd.state import audit, repeats, sessions
from deployd.state.audit import Deed
from deployd.state.repeats import Answer
from deployd.state.sessions import Session
from tests.doubles.store import MemoryStore

NOW = datetime(2026, 5, 4, 10, 0, tzinfo=UTC)


@pytest.fixture
def db() -> Iterator[sqlite3.Connection]:
    store = MemoryStore()
    yield store.db
    store.close()


def session(name: str = "a", **more: Any) -> Session:
    values = {"token": "ada", "proof": "p", "began": NOW, "seen": NOW, "ends": NOW + timedelta(days=30),
              "address": "10.0.0.1", "agent": "Firefox"}
    return Session(id=name, **{**values, **more})


def deed(number: int, **more: Any) -> Deed:
    return Deed(**{"at": NOW + timedelta(minutes=number), "who": "ada", "by": "api", "address": "10.0.0.1",
                   "action": "redeploy", "project": "shop", **more})


def test_a_session_is_read_as_it_was_written_and_goes_when_it_is_ended_old_or_unused(db: sqlite3.Connection) -> None:
    for one in (session(), session("b", ends=NOW + timedelta(days=1)), session("c", seen=NOW - timedelta(days=9))):
        sessions.add(db, one)
    assert session() in sessions.list_all(db)
    assert sessions.remove_ended(db, NOW + timedelta(days=1), NOW - timedelta(days=7)) == 2
    sessions.see(db, "a", NOW + timedelta(hours=1))
    assert [(one.id, one.seen) for one in sessions.list_all(db)] == [("a", NOW + timedelta(hours=1))]
    assert [sessions.remove(db, "a"), sessions.remove(db, "a")] == [True, False]


def test_the_audit_log_is_read_newest_first_by_project_and_page(db: sqlite3.Connection) -> None:
    for number in range(1, 6):
        assert audit.append(db, deed(number, project="shop" if number % 2 else "blog")) == number
    assert [entry.number for entry in audit.newest(db)] == [5, 4, 3, 2, 1]
    assert [entry.number for entry in audit.newest(db, projects=["shop"], limit=2)] == [5, 3]
    assert [entry.number for entry in audit.newest(db, projects=["shop"], before=3)] == [1]
    assert audit.newest(db, projects=[]) == []
    assert audit.newest(db)[0].deed == deed(5)
    assert audit.head(db) == (5, audit.newest(db)[0].hash)


def test_the_audit_log_only_grows(db: sqlite3.Connection) -> None:
    audit.append(db, deed(1))
    for statement in ("UPDATE audit SET deed = ''", "DELETE FROM audit", "REPLACE INTO audit VALUES (1, '', '', '')"):
        with pytest.raises(sqlite3.IntegrityError):
            db.execute(statement)


@pytest.mark.parametrize("statement", [
    "UPDATE audit SET deed = replace(deed, 'ada', 'eve') WHERE number = 2", "DELETE FROM audit WHERE number = 2",
    "UPDATE audit SET number = 9 WHERE number = 2", "UPDATE audit SET hash = 'x' WHERE number = 2",
])
def test_whoever_goes_around_that_leaves_a_broken_chain(db: sqlite3.Connection, statement: str) -> None:
    for number in range(1, 5):
        audit.append(db, deed(number))
    assert audit.first_broken(db) is None
    db.executescript("DROP TRIGGER audit_only_grows; DROP TRIGGER audit_is_kept;")
    db.execute(statement)
    assert audit.first_broken(db) in (2, 3)


def test_the_first_entries_cannot_go_unnoticed(db: sqlite3.Connection) -> None:
    for number in range(1, 4):
        audit.append(db, deed(number))
    db.executescript("DROP TRIGGER audit_is_kept; DELETE FROM audit WHERE number = 1;")
    assert audit.first_broken(db) == 2


def test_hostile_text_is_cut_and_kept(db: sqlite3.Connection) -> None:
    audit.append(db, deed(1, said="x" * 10_000, who="\ud800\n\"'"))
    [entry] = audit.newest(db)
    assert len(entry.deed.said) == audit.LONGEST
    assert audit.first_broken(db) is None


def test_a_request_with_a_key_is_done_once(db: sqlite3.Connection) -> None:
    assert repeats.begin(db, "ada", "k", "digest", NOW) is None
    assert repeats.begin(db, "ada", "k", "digest", NOW) == Answer("digest", 0, "")
    assert repeats.begin(db, "bob", "k", "digest", NOW) is None, "keys belong to whoever sends them"
    repeats.finish(db, "ada", "k", 202, "{}")
    assert repeats.begin(db, "ada", "k", "digest", NOW) == Answer("digest", 202, "{}")
    repeats.give_up(db, "bob", "k")
    assert repeats.begin(db, "bob", "k", "other", NOW) is None
    assert repeats.forget_unanswered(db) == 1
    assert repeats.forget(db, NOW + timedelta(days=1)) == 1
