"""What a lock holds: it touches nothing of what is live, it stays built, and whatever is wanted of it is heard."""

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from types import SimpleNamespace
from typing import Any

import pytest

from deployd.activity import interventions
from deployd.activity.executor import Executor
from deployd.activity.journal import CANCELLATION, DONE, write_result
from deployd.deployment.kinds import KINDS
from deployd.deployment.requests import lock_environment
from deployd.deployment.results import Planned
from deployd.ids import ActivityId, CommitId, EnvironmentId, EnvironmentName, ProjectId
from deployd.plan import Plan
from deployd.promotion.people import Person
from deployd.queries.activities import activity_shape
from deployd.release.store import _versions_in_use
from deployd.state import activities, entries, environments, locks, tickets
from deployd.state.activities import Activity, NewActivity, Trigger
from deployd.state.entries import HELD, Entry
from deployd.state.locks import Lock
from deployd.state.tickets import NewTicket, Stage
from deployd.upkeep.collect.look import _read
from deployd.upkeep.ownership import Owner, read_ownership
from tests.doubles.store import MemoryStore
from tests.unit.deployment.test_deployment_decisions import version

SHOP, MAIN = ProjectId("shop"), EnvironmentName("main-bvxea6i")
SHOP_MAIN = EnvironmentId(SHOP, MAIN)
NOW = datetime(2026, 1, 1, 12, tzinfo=UTC)
LOCK = Lock(SHOP_MAIN, "ada", "the sale", NOW)
MISSING: Any = None


@pytest.fixture
def store() -> Iterator[MemoryStore]:
    made = MemoryStore()
    environments.ensure(made.db, SHOP_MAIN, "main", NOW)
    yield made
    made.close()


def enqueue(db: sqlite3.Connection, kind: str = "push") -> ActivityId:
    return activities.enqueue(
        db, NewActivity(KINDS[kind], SHOP_MAIN, "main", CommitId("c" * 40), Trigger("ada", "git")), NOW,
    )


def found(db: sqlite3.Connection, number: ActivityId) -> Activity:
    activity = activities.find(db, number)
    assert activity is not None
    return activity


def begin_and_find_lock(db: sqlite3.Connection) -> ActivityId:
    """A push that was planned and built, and whose undo is done: about to be held."""
    lock_environment(db, LOCK, "main")
    number = enqueue(db)
    activities.begin(db, number, NOW)
    planned = Planned(version(number, "h"), None, Plan((), ()), ())
    entries.append(db, number, Entry("read_and_plan", DONE, NOW, write_result(planned)))
    entries.append(db, number, Entry("", CANCELLATION, NOW, HELD, "locked"))
    return number


def executor(store: MemoryStore) -> Executor:
    host: Any = SimpleNamespace(clock=SimpleNamespace(now=lambda: NOW))
    holder: Any = store
    return Executor(KINDS, holder, host, MISSING, MISSING)


def hold(store: MemoryStore, number: ActivityId) -> str:
    return executor(store)._held(store.db, found(store.db, number), "locked")


def test_what_is_live_is_looked_after_while_its_end_is_held(store: MemoryStore) -> None:
    lock_environment(store.db, LOCK, "main")
    enqueue(store.db, "delete")
    whole: Any = store
    assert asyncio.run(read_ownership(whole, (SHOP_MAIN))).owner is Owner.OURS
    activities.release(store.db, SHOP_MAIN)
    assert asyncio.run(read_ownership(whole, (SHOP_MAIN))).owner is Owner.NOBODY


def test_a_lock_holds_the_end_that_waits_already_and_one_that_is_about_to_begin(store: MemoryStore) -> None:
    end, push = enqueue(store.db, "delete"), enqueue(store.db)
    lock_environment(store.db, LOCK, "main")
    assert (found(store.db, end).held, found(store.db, push).held) == (True, False)
    assert found(store.db, end).reason == LOCK.said("main")
    assert not activities.begin(store.db, end, NOW)
    assert activities.release(store.db, SHOP_MAIN) == [end]
    assert activities.begin(store.db, end, NOW)


def test_an_end_that_runs_is_not_held(store: MemoryStore) -> None:
    end = enqueue(store.db, "delete")
    activities.begin(store.db, end, NOW)
    lock_environment(store.db, LOCK, "main")
    assert (found(store.db, end).held, found(store.db, end).state) == (False, "in_progress")


def test_nothing_is_held_for_ever_when_the_environment_is_gone_with_its_lock(store: MemoryStore) -> None:
    first = enqueue(store.db, "delete")
    activities.begin(store.db, first, NOW)
    lock_environment(store.db, LOCK, "main")
    second = enqueue(store.db, "delete")   # delivered twice
    assert found(store.db, second).held
    environments.forget(store.db, SHOP_MAIN)
    activities.finish(store.db, first, "success", "", NOW)
    goes_on = activities.next_of_lane(store.db, SHOP_MAIN)
    assert goes_on is not None
    assert goes_on.id == second


def test_what_a_held_push_built_is_in_use(store: MemoryStore) -> None:
    number = begin_and_find_lock(store.db)
    assert hold(store, number)
    assert [item.activity for item in _versions_in_use(store.db)] == [number]
    assert "h" * 64 in _read(store.db, 1, NOW, NOW).slugs


def test_a_cancel_that_comes_just_before_it_is_held_is_heard(store: MemoryStore) -> None:
    number = begin_and_find_lock(store.db)
    assert interventions.cancel(store.db, number, "cancelled by bob", NOW)
    assert not hold(store, number)
    assert not found(store.db, number).held
    next_one = activities.next_of_lane(store.db, SHOP_MAIN)   # its lane carries it to its end
    assert next_one is not None
    assert (next_one.id, next_one.state) == (number, "in_progress")


def test_the_time_of_a_push_begins_anew_after_the_unlock(store: MemoryStore) -> None:
    number = begin_and_find_lock(store.db)
    assert hold(store, number)
    assert found(store.db, number).started_at is None
    locks.remove(store.db, SHOP_MAIN)
    activities.release(store.db, SHOP_MAIN)
    later = NOW + timedelta(days=3)
    activities.begin(store.db, number, later)
    assert found(store.db, number).started_at == later


def test_who_has_ended_waits_for_nothing(store: MemoryStore) -> None:
    number = begin_and_find_lock(store.db)
    assert hold(store, number)
    assert activity_shape(found(store.db, number)).waits == "locked"
    activities.cancel_waiting(store.db, number, "cancelled by bob", NOW)
    assert activity_shape(found(store.db, number)).waits == ""


def test_an_approval_that_comes_while_it_is_undone_lets_it_begin_anew_at_once(store: MemoryStore) -> None:
    number = enqueue(store.db)
    activities.begin(store.db, number, NOW)
    ticket = tickets.add(store.db, NewTicket(
        project=SHOP, source="develop", commit=CommitId("c" * 40), stages=(Stage("main", MAIN),), activity=number,
        asked_by=Person("ada"), expires_at=NOW + timedelta(days=7),
    ), NOW)
    entries.append(store.db, number, Entry("", CANCELLATION, NOW, HELD, "main needs 1 approval"))
    assert hold(store, number) == f"deployd ticket show {ticket}"
    activities.release(store.db, SHOP_MAIN)   # an unlock is not its business
    assert found(store.db, number).held
    activities.let_go_on(store.db, number)
    activities.begin(store.db, number, NOW)
    tickets.approve(store.db, ticket, "d", Person("bob"), "", NOW)
    assert hold(store, number) == ""
    assert not found(store.db, number).held
    newer = enqueue(store.db, "promote")
    activities.begin(store.db, newer, NOW)
    later = enqueue(store.db, "push")
    assert found(store.db, number).state == "superseded"
    assert hold(store, newer) == ""
    assert (found(store.db, newer).state, found(store.db, later).state) == ("superseded", "pending")
