"""What comes of a bad release: one rollback, never two, never in circles, and never against somebody's wish."""

from __future__ import annotations

import sqlite3
from dataclasses import replace
from datetime import timedelta
from types import SimpleNamespace
from typing import Any

import pytest

from deployd.activity.journal import DONE, Journal, write_result
from deployd.activity.kinds import Progress
from deployd.deployment.kinds import DELETE, KINDS, PROMOTE, PUSH, REDEPLOY, ROLLBACK
from deployd.deployment.results import Watched
from deployd.deployment.steps import PUSH as PUSH_TABLE
from deployd.ids import ActivityId, CommitId
from deployd.promotion.people import Person
from deployd.state import activities, audit, bad_releases, environments, locks, tickets
from deployd.state.activities import BY_CHECKS, NewActivity, Trigger
from deployd.state.entries import Entry
from deployd.state.locks import Lock
from deployd.state.tickets import NewTicket, Stage
from tests.doubles.store import MemoryStore
from tests.unit.deployment.test_deployment_decisions import MAIN, NEW, NOW, OLD, SHOP, deployment, version

PLACE = deployment(None).environment
assert (PLACE.project, PLACE.name) == (SHOP, MAIN)
BAD = Watched("bad", "40 of 40 requests failed", (), "", OLD)


@pytest.fixture
def db() -> Any:
    store = MemoryStore()
    environments.ensure(store.db, PLACE, "main", NOW)
    store.db.execute("INSERT INTO sqlite_sequence VALUES ('activities', ?)", (NEW,))
    for number in (OLD, NEW):
        environments.set_live(store.db, PLACE, number, write_result(version(number, "a")), NOW)
    yield store.db
    store.close()


def ask(db: sqlite3.Connection, kind: Any, who: str = "ada") -> ActivityId:
    return activities.enqueue(db, NewActivity(kind, PLACE, "main", None, Trigger(who, "api")), NOW)


def note(db: sqlite3.Connection, watched: Watched | None, kind: Any = PUSH, number: ActivityId = NEW) -> str:
    entries = (Entry("watch_release", DONE, NOW, write_result(watched)),) if watched else ()
    activity = replace(deployment(None).activity, id=number)
    return str(kind.afterwards(db, Progress(activity, PUSH_TABLE, Journal(entries)), NOW))


def waiting(db: sqlite3.Connection) -> list[activities.Activity]:
    found = activities.latest(db, environment=PLACE, states=["pending"])
    return [item for item in found if item.kind not in ("push", "pause")]


@pytest.mark.parametrize("watched", [None, Watched("good"), Watched("unknown"), Watched("overtaken"),
                                     Watched("unwatched")])
def test_nothing_comes_of_what_is_not_bad(db: Any, watched: Watched | None) -> None:
    assert note(db, watched) == ""
    assert (waiting(db), bad_releases.current(db), audit.newest(db)) == ([], [], [])


def test_the_version_before_is_asked_for_once_and_written_down(db: Any) -> None:
    said = note(db, BAD)
    [back] = waiting(db)
    assert said == f"; activity {back.id} brings the version of activity {OLD} back"
    assert (back.kind, back.trigger.who, back.trigger.how, back.trigger.to) == ("rollback", "deployd", BY_CHECKS, OLD)
    assert note(db, BAD) == "", "a daemon that died meanwhile comes here again"
    assert len(waiting(db)) == 1
    [bad] = bad_releases.current(db)
    assert (bad.activity, bad.back, bad.back_to, bad.is_live) == (NEW, back.id, OLD, True)
    [entry] = audit.newest(db)
    assert (entry.deed.action, entry.deed.by) == ("revert", BY_CHECKS)
    assert "40 of 40 requests failed" in entry.deed.said


def test_it_goes_before_a_newer_push_that_waits_and_behind_nothing_else(db: Any) -> None:
    push = ask(db, PUSH)
    note(db, BAD)
    [back] = waiting(db)
    assert back.id > push
    first = activities.next_of_lane(db, PLACE)
    assert first is not None
    assert first.id == back.id


@pytest.mark.parametrize("kind", [ROLLBACK, REDEPLOY, DELETE])
def test_what_a_person_asked_for_meanwhile_comes_instead(db: Any, kind: Any) -> None:
    number = ask(db, kind, "grace")
    assert note(db, BAD) == f"; it stays live: {kind.name} {number} of grace comes next"
    assert [item.id for item in waiting(db)] == [number]
    [bad] = bad_releases.current(db)
    assert bad.back is None


def test_a_protected_environment_is_locked_with_it_and_the_next_promotion_does_not_stop_it(db: Any) -> None:
    note(db, BAD)
    assert locks.find(db, PLACE) is None, "others are not"
    later = ask(db, PROMOTE)
    ticket = tickets.add(db, NewTicket(
        project=SHOP, source="develop", commit=CommitId("c" * 40), stages=(Stage("main", MAIN),), activity=later,
        asked_by=Person("ada"), expires_at=NOW,
    ), NOW)
    following = ask(db, PROMOTE)
    assert tickets.find(db, ticket).state == "superseded"
    environments.set_live(db, PLACE, later, write_result(version(later, "b")), NOW)
    said = note(db, replace(BAD, back_to=NEW), number=later)
    assert f"brings the version of activity {NEW} back" in said
    lock = locks.find(db, PLACE)
    assert (lock.who, lock.reason) == ("deployd", f"rolled back to activity {NEW} after a bad release")
    assert activities.find(db, following).state == "pending"


def test_a_lock_that_would_have_ended_by_itself_lasts_after_it(db: Any) -> None:
    locks.put(db, Lock(PLACE, "ada", "the sale", NOW, NOW + timedelta(minutes=5)))
    pushed = ask(db, PUSH)
    tickets.add(db, NewTicket(
        project=SHOP, source="develop", commit=CommitId("c" * 40), stages=(Stage("main", MAIN),), activity=pushed,
        asked_by=Person("ada"), expires_at=NOW,
    ), NOW)
    environments.set_live(db, PLACE, pushed, write_result(version(pushed, "b")), NOW)
    note(db, replace(BAD, back_to=NEW), number=pushed)
    assert locks.find(db, PLACE) == Lock(PLACE, "ada", "the sale", NOW)


def test_a_pause_that_waits_keeps_nothing_from_coming_back(db: Any) -> None:
    ask(db, KINDS["pause"], "deployd")
    assert "brings the version" in note(db, BAD)


def test_a_version_that_is_not_kept_any_more_cannot_come_back(db: Any) -> None:
    db.execute("DELETE FROM versions WHERE activity = ?", (OLD,))
    assert note(db, BAD) == f"; it stays live: the version of activity {OLD} is not kept any more"


def test_where_it_is_only_told_why_is_said(db: Any) -> None:
    assert note(db, replace(BAD, stays="on_bad_release is report", back_to=None)) == (
        "; it stays live: on_bad_release is report")
    assert bad_releases.is_bad(db, NEW)
    assert audit.newest(db)[0].deed.action == "report"


def test_what_is_told_is_over_with_the_next_version_and_says_how_it_went(db: Any) -> None:
    note(db, BAD)
    [back] = waiting(db)
    [bad] = bad_releases.current(db)
    assert f"activity {back.id} brings the version of activity {OLD} back" in bad.said
    db.execute("UPDATE activities SET state = 'failed' WHERE id = ?", (back.id,))
    [bad] = bad_releases.current(db)
    assert "could not bring" in bad.said
    environments.set_live(db, PLACE, back.id, write_result(version(back.id, "a")), NOW)
    [bad] = bad_releases.current(db)
    assert (bad.is_live, "is live again" in bad.said) == (False, True)
    later = ask(db, PUSH)
    environments.set_live(db, PLACE, later, write_result(version(later, "b")), NOW)
    assert bad_releases.current(db) == []
    assert bad_releases.is_bad(db, NEW), "it is never gone back to"
    environments.forget(db, PLACE)
    assert not bad_releases.is_bad(db, NEW)


def test_only_a_push_or_a_promotion_can_be_reverted_and_every_kind_that_deploys_is_watched() -> None:
    host: Any = SimpleNamespace(settings=SimpleNamespace(instance="x", projects={SHOP: deployment(None).project}))
    views = {name: kind.view(host, deployment(None).activity, Journal()) for name, kind in KINDS.items()}
    assert {name for name, view in views.items() if view.mode.may_be_reverted} == {"push", "promote"}
    for kind in (PUSH, PROMOTE, REDEPLOY, ROLLBACK, KINDS["activate"]):
        assert kind.afterwards is PUSH.afterwards
        assert [step.name for step in kind.tables[0].steps][-2:] == ["watch_release", "judge_release"]
