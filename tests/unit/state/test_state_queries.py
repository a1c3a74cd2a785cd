"""The queries of the state: what may follow what, which lane is next, what is answered twice, what is made once."""

import sqlite3
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import pytest

from deployd.deployment.kinds import KINDS
from deployd.ids import ActivityId, CommitId, EnvironmentId, EnvironmentName, ProjectId
from deployd.state import activities, deliveries, entries, environments, locks, secrets
from deployd.state.activities import MAY_BECOME, NewActivity, State, Trigger
from deployd.state.deliveries import Delivery
from deployd.state.entries import Entry
from deployd.state.locks import Lock
from deployd.state.sealing import Sealer
from tests.doubles.store import MemoryStore

SHOP, MAIN = ProjectId("shop"), EnvironmentName("main-bvxea6i")
SHOP_MAIN = EnvironmentId(SHOP, MAIN)
SEALER = Sealer([bytes(32)])
NOW = datetime(2026, 1, 1, 12, tzinfo=UTC)
STATES: list[State] = ["pending", "in_progress", "success", "failed", "cancelled", "superseded"]


@pytest.fixture
def db() -> Iterator[sqlite3.Connection]:
    store = MemoryStore()
    yield store.db
    store.close()


def push(
    db: sqlite3.Connection, *, project: str = "shop", environment: str = MAIN, kind: str = "push", minutes: int = 0,
) -> ActivityId:
    new = NewActivity(KINDS[kind], EnvironmentId.read(f"{project}/{environment}"), "main", CommitId("c" * 40),
                      Trigger("ann", "github", "d-1", ActivityId(7)))
    return activities.enqueue(db, new, NOW + timedelta(minutes=minutes))


def put_into(db: sqlite3.Connection, number: ActivityId, state: State) -> None:
    db.execute("UPDATE activities SET state = ? WHERE id = ?", (state, number))


def state_of(db: sqlite3.Connection, number: ActivityId) -> str:
    found = activities.find(db, number)
    assert found is not None
    return found.state


def test_an_activity_is_read_as_it_was_written(db: sqlite3.Connection) -> None:
    number = push(db)
    found = activities.find(db, number)
    assert found is not None
    assert (found.project, found.environment, found.branch, found.kind, found.commit) == (
        "shop", (SHOP, MAIN), "main", "push", "c" * 40,
    )
    assert found.trigger == Trigger("ann", "github", "d-1", ActivityId(7))
    assert (found.state, found.created_at, found.started_at, found.ended_at) == ("pending", NOW, None, None)
    assert activities.find(db, ActivityId(99)) is None


@pytest.mark.parametrize("before", STATES)
@pytest.mark.parametrize("after", STATES)
def test_an_activity_ends_only_as_it_may(db: sqlite3.Connection, before: State, after: State) -> None:
    number = push(db)
    put_into(db, number, before)
    if after in ("pending", "in_progress"):
        legal = after == "in_progress" and before in ("pending", "in_progress")
        assert after == "pending" or activities.begin(db, number, NOW) == legal
    else:
        legal = after in MAY_BECOME.get(before, ())
        assert activities.finish(db, number, after, "so", NOW) == legal
    assert state_of(db, number) == (after if legal else before)


def test_the_start_is_remembered_over_a_restart(db: sqlite3.Connection) -> None:
    number = push(db)
    assert activities.begin(db, number, NOW)
    assert activities.begin(db, number, NOW + timedelta(hours=1))
    found = activities.find(db, number)
    assert found is not None
    assert found.started_at == NOW


@pytest.mark.parametrize("state", STATES)
def test_only_who_waits_is_cancelled_at_once(db: sqlite3.Connection, state: State) -> None:
    number = push(db)
    put_into(db, number, state)
    assert activities.cancel_waiting(db, number, "by ann", NOW) == (state == "pending")
    assert state_of(db, number) == ("cancelled" if state == "pending" else state)


def lock(db: sqlite3.Connection) -> None:
    locks.put(db, Lock(SHOP_MAIN, "ada", "the sale", NOW))


def test_who_is_held_waits_for_the_unlock_and_lets_others_pass(db: sqlite3.Connection) -> None:
    lock(db)
    number = push(db)
    activities.begin(db, number, NOW)
    assert activities.hold(db, number, "main is locked by ada")
    assert not activities.hold(db, number, "twice")
    assert (activities.open_lanes(db), activities.next_of_lane(db, SHOP_MAIN)) == ([], None)
    rollback = push(db, kind="rollback")
    passes = activities.next_of_lane(db, SHOP_MAIN)
    assert passes is not None
    assert passes.id == rollback
    activities.begin(db, rollback, NOW)
    activities.finish(db, rollback, "success", "", NOW)
    assert locks.remove(db, SHOP_MAIN)
    assert not locks.remove(db, SHOP_MAIN)
    assert activities.release(db, SHOP_MAIN) == [number]
    assert activities.release(db, SHOP_MAIN) == []
    goes_on = activities.next_of_lane(db, SHOP_MAIN)
    assert goes_on is not None
    assert (goes_on.id, goes_on.held, goes_on.reason) == (number, False, "")


def test_a_newer_push_takes_the_place_of_one_that_is_held(db: sqlite3.Connection) -> None:
    held = push(db)
    activities.begin(db, held, NOW)
    activities.hold(db, held, "locked")
    newer = push(db)
    assert state_of(db, held) == "superseded"
    assert activities.release(db, SHOP_MAIN) == []
    found = activities.find(db, held)
    assert found is not None
    assert activities.newer_of_kind(db, found) == newer


def test_what_stands_before_a_hold_is_history(db: sqlite3.Connection) -> None:
    number = push(db)
    happened = (("fetch", "started"), ("fetch", "done"), ("", "wish"), ("", entries.HELD), ("fetch", "started"))
    for step, event in happened:
        entries.append(db, number, Entry(step, event, NOW))
    assert [entry.event for entry in entries.of_activity(db, number)] == ["started"]
    assert len(entries.all_of_activity(db, number)) == 5


def test_the_end_of_a_locked_environment_waits_for_the_unlock(db: sqlite3.Connection) -> None:
    environments.ensure(db, SHOP_MAIN, "main", NOW)
    lock(db)
    number = push(db, kind="delete")
    found = activities.find(db, number)
    assert found is not None
    assert (found.held, found.reason) == (True, "main is locked by ada since 2026-01-01 12:00 UTC: the sale")
    assert activities.next_of_lane(db, SHOP_MAIN) is None
    environments.forget(db, SHOP_MAIN)
    assert locks.list_all(db) == []


def test_a_push_supersedes_waiting_pushes_of_its_own_lane_only(db: sqlite3.Connection) -> None:
    waiting, redeploy = push(db), push(db, kind="redeploy")
    other_branch, other_project = push(db, environment="dev"), push(db, project="blog")
    running = push(db, environment="x")
    activities.begin(db, running, NOW)
    newest, beside = push(db), push(db, environment="x")
    assert state_of(db, waiting) == "superseded"
    found = activities.find(db, waiting)
    assert found is not None
    assert found.reason == f"a newer push came: activity {newest}"
    assert found.ended_at is not None
    assert {state_of(db, number) for number in (redeploy, other_branch, other_project, newest, beside)} == {"pending"}
    assert state_of(db, running) == "in_progress"


def test_numbers_are_never_given_twice(db: sqlite3.Connection) -> None:
    number = push(db)
    db.execute("DELETE FROM activities")
    assert push(db) > number


def test_lanes_where_something_runs_come_first_then_the_oldest(db: sqlite3.Connection) -> None:
    push(db, environment="a")
    push(db, environment="b")
    push(db, environment="a", kind="redeploy")
    running = push(db, environment="c")
    activities.begin(db, running, NOW)
    ended = push(db, environment="d")
    activities.begin(db, ended, NOW)
    activities.finish(db, ended, "success", "", NOW)
    assert [name for _, name in activities.open_lanes(db)] == ["c", "a", "b"]


def test_what_runs_in_a_lane_comes_before_what_waits_longer(db: sqlite3.Connection) -> None:
    first, second = push(db), push(db, kind="redeploy")
    found = activities.next_of_lane(db, SHOP_MAIN)
    assert found is not None
    assert found.id == first
    activities.begin(db, second, NOW)
    found = activities.next_of_lane(db, SHOP_MAIN)
    assert found is not None
    assert found.id == second
    assert activities.next_of_lane(db, EnvironmentId(SHOP, EnvironmentName("dev"))) is None


def test_activities_are_listed_newest_first_by_what_is_asked(db: sqlite3.Connection) -> None:
    one, two, three = push(db), push(db, environment="dev"), push(db, project="blog")
    put_into(db, two, "failed")
    assert [item.id for item in activities.latest(db)] == [three, two, one]
    assert [item.id for item in activities.latest(db, limit=1)] == [three]
    assert [item.id for item in activities.latest(db, project="shop")] == [two, one]
    assert [item.id for item in activities.latest(db, environment=EnvironmentId(SHOP, EnvironmentName("dev")))] == [two]
    assert [item.id for item in activities.latest(db, states=["failed", "success"])] == [two]
    assert [item.id for item in activities.open_ones(db)] == [one, three]
    assert {item.id for item in activities.newest_of_each(db)} == {one, two, three}


def test_activities_are_counted_now_and_since_a_moment(db: sqlite3.Connection) -> None:
    for environment, minutes in (("a", 0), ("b", 30)):
        number = push(db, environment=environment)
        activities.begin(db, number, NOW)
        activities.finish(db, number, "failed", "", NOW + timedelta(minutes=minutes))
    push(db)
    assert activities.count_by_state(db, NOW + timedelta(minutes=10)) == {"pending": 1, "in_progress": 0, "failed": 1}


def test_a_journal_keeps_its_order_and_its_results(db: sqlite3.Connection) -> None:
    one, two = push(db), push(db)
    written = [Entry("fetch", "started", NOW), Entry("fetch", "done", NOW, '{"commit": "c"}'),
               Entry("", "wish", NOW, "cancelled", "by ann")]
    for entry in written:
        entries.append(db, one, entry)
        entries.append(db, two, Entry("other", "started", NOW))
    assert entries.of_activity(db, one) == tuple(written)


def test_a_journal_belongs_to_an_activity(db: sqlite3.Connection) -> None:
    db.execute("PRAGMA foreign_keys = ON")
    with pytest.raises(sqlite3.IntegrityError):
        entries.append(db, ActivityId(99), Entry("fetch", "started", NOW))


def test_a_delivery_is_answered_once_for_each_forge_and_project(db: sqlite3.Connection) -> None:
    number = push(db)
    deliveries.add(db, "github", "shop", "d-1", Delivery(number, "activity 1"), NOW)
    assert deliveries.find(db, "github", "shop", "d-1") == Delivery(number, "activity 1")
    assert deliveries.find(db, "gitlab", "shop", "d-1") is None
    assert deliveries.find(db, "github", "blog", "d-1") is None
    with pytest.raises(sqlite3.IntegrityError):
        deliveries.add(db, "github", "shop", "d-1", Delivery(None, "again"), NOW)


def test_secrets_and_entropy_are_made_once_and_differ(db: sqlite3.Connection) -> None:
    entropy = secrets.ensure_entropy(db, SEALER, SHOP)
    assert len(entropy) == 56
    assert secrets.ensure_entropy(db, SEALER, SHOP) == entropy
    more = {secrets.ensure_entropy(db, SEALER, ProjectId("blog"))}
    assert entropy not in more
    secret = secrets.ensure_secret(db, SEALER, SHOP_MAIN, "db", "mysql")
    assert secrets.ensure_secret(db, SEALER, SHOP_MAIN, "db", "mysql") == secret
    others = {secrets.ensure_secret(db, SEALER, EnvironmentId(SHOP, EnvironmentName("dev")), "db", "mysql"),
              secrets.ensure_secret(db, SEALER, SHOP_MAIN, "db", "admin"),
              secrets.ensure_secret(db, SEALER, EnvironmentId(ProjectId("blog"), MAIN), "db", "mysql")}
    assert len(others | {secret}) == 4
    assert set(secrets.all_secrets(db, SEALER)) == others | {secret, entropy, *more}


def test_a_subnet_is_chosen_once_and_never_twice(db: sqlite3.Connection) -> None:
    free = ["10.0.0.0/24", "10.0.1.0/24"]

    def choose(taken: frozenset[str]) -> str:
        return next(subnet for subnet in free if subnet not in taken)

    dev = EnvironmentName("dev")
    for name in (MAIN, dev):
        environments.ensure(db, EnvironmentId(SHOP, name), "main", NOW)
    assert environments.ensure_subnet(db, SHOP_MAIN, choose) == "10.0.0.0/24"
    assert environments.ensure_subnet(db, EnvironmentId(SHOP, dev), choose) == "10.0.1.0/24"
    assert environments.ensure_subnet(db, SHOP_MAIN, choose) == "10.0.0.0/24"
    environments.forget(db, SHOP_MAIN)
    environments.ensure(db, SHOP_MAIN, "main", NOW)
    assert environments.ensure_subnet(db, SHOP_MAIN, choose) == "10.0.0.0/24"
    free.append("10.0.2.0/24")
    assert environments.ensure_subnet(db, SHOP_MAIN, choose, lambda subnet: False) == "10.0.2.0/24"


def test_versions_are_kept_for_rollbacks_and_one_of_them_is_live(db: sqlite3.Connection) -> None:
    environments.ensure(db, SHOP_MAIN, "main", NOW)
    assert environments.live_version(db, SHOP_MAIN) is None
    one, two = push(db), push(db)
    environments.set_live(db, SHOP_MAIN, one, "v1", NOW)
    environments.set_live(db, SHOP_MAIN, two, "v2", NOW + timedelta(hours=1))
    environments.set_live(db, SHOP_MAIN, two, "v2", NOW + timedelta(hours=2))   # the switch was done again
    assert environments.live_version(db, SHOP_MAIN) == "v2"
    assert environments.version_of(db, one) == "v1"
    assert [number for number, _, _ in environments.earlier_versions(db, SHOP_MAIN, 5)] == [two, one]
    assert environments.live_versions(db) == [((SHOP, MAIN), "v2")]
    found = environments.find(db, SHOP_MAIN)
    assert found is not None
    assert (found.live_activity, found.live_since) == (two, NOW + timedelta(hours=1))


def test_a_forgotten_environment_keeps_its_secrets_as_long_as_its_data(db: sqlite3.Connection) -> None:
    environments.ensure(db, SHOP_MAIN, "main", NOW)
    number = push(db)
    old = secrets.ensure_secret(db, SEALER, SHOP_MAIN, "db", "mysql")
    environments.forget(db, SHOP_MAIN)
    assert environments.find(db, SHOP_MAIN) is None
    assert secrets.ensure_secret(db, SEALER, SHOP_MAIN, "db", "mysql") == old
    secrets.forget_secrets(db, SHOP_MAIN)
    assert secrets.ensure_secret(db, SEALER, SHOP_MAIN, "db", "mysql") != old
    assert activities.find(db, number) is not None
