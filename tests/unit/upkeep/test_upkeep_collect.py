"""What housekeeping takes away: decided from what there is, and from rows."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from deployd.activity.journal import write_result
from deployd.deployment import kinds
from deployd.ids import ActivityId, CommitId, EnvironmentId, EnvironmentName, ProjectId
from deployd.release.version import Version
from deployd.settings import CollectSettings
from deployd.state import activities, deliveries, entries, environments, unneeded
from deployd.state.activities import NewActivity, Trigger
from deployd.state.deliveries import Delivery
from deployd.state.entries import Entry
from deployd.upkeep.collect.collector import rules_of
from deployd.upkeep.collect.things import KINDS_OF_SPACE, Thing, what_goes
from tests.doubles.store import MemoryStore

NOW = datetime(2026, 5, 4, 10, tzinfo=UTC)
SHOP, MAIN = ProjectId("shop"), EnvironmentName("main-abc")
SHOP_MAIN = EnvironmentId(SHOP, MAIN)
KINDS = ("slug", "image", "cache", "kept result", "data", "volume", "snapshot", "version", "workspace", "log")
things = st.builds(
    Thing, st.sampled_from(KINDS), st.text("abc", min_size=1, max_size=3), st.integers(0, 10**9),
    st.sampled_from(["", "an environment"]), st.just("why"),
)


def days(number: float) -> timedelta:
    return timedelta(days=number)


@given(st.lists(things, unique_by=lambda thing: thing.key), st.booleans(), st.data())
def test_what_is_needed_stays_and_nothing_goes_before_its_time(
    found: list[Thing], short: bool, data: st.DataObject,
) -> None:
    since = {thing.key: NOW - days(data.draw(st.floats(-1, 20))) for thing in found if data.draw(st.booleans())}
    rules = rules_of(CollectSettings(), short=short)
    going = {item.thing.key for item in what_goes(found, since, rules, NOW)}
    for thing in found:
        age = NOW - since.get(thing.key, NOW)
        if thing.needed_by:
            assert thing.key not in going
        elif short and thing.kind in KINDS_OF_SPACE:
            assert thing.key in going
        else:
            assert (thing.key in going) == (max(age, days(0)) >= rules.of(thing.kind))
    if short:
        assert not any(kind == "data" and NOW - since.get((kind, name), NOW) < days(7) for kind, name in going)


def test_the_largest_goes_first() -> None:
    found = [Thing("workspace", name, size) for name, size in (("1", 5), ("2", 7))]
    going = what_goes(found, {}, rules_of(CollectSettings(), short=False), NOW)
    assert [item.thing.name for item in going] == ["2", "1"]


def test_data_of_deleted_environments_goes_at_once_for_who_says_so() -> None:
    found = [Thing("data", "shop/old", 5), Thing("volume", "v", 5)]
    going = what_goes(found, {}, rules_of(CollectSettings(), short=False, deleted=True), NOW)
    assert [item.thing.kind for item in going] == ["data"]


@pytest.fixture
def db() -> Iterator[sqlite3.Connection]:
    store = MemoryStore()
    yield store.db
    store.close()


def activity(db: sqlite3.Connection, at: datetime, kind: str = "push", state: str = "success") -> ActivityId:
    number = activities.enqueue(db, NewActivity(
        kinds.KINDS[kind], SHOP_MAIN, "main", CommitId("c" * 40), Trigger("ada", "git"),
    ), at)
    activities.begin(db, number, at)
    entries.append(db, number, Entry("fetch", "started", at, None, ""))
    if state != "in_progress":
        activities.finish(db, number, state, "", at)   # type: ignore[arg-type]
    return number


def test_since_is_when_it_was_first_seen_and_is_forgotten_when_it_is_needed_again(db: sqlite3.Connection) -> None:
    later = NOW + days(1)
    assert unneeded.note(db, [("slug", "a")], NOW) == {("slug", "a"): NOW}
    assert unneeded.note(db, [("slug", "a"), ("slug", "b")], later) == {("slug", "a"): NOW, ("slug", "b"): later}
    unneeded.note(db, [("slug", "b")], later)
    assert unneeded.since(db) == {("slug", "b"): later}
    assert unneeded.note(db, [("slug", "a")], later) == {("slug", "a"): later}


def test_versions_are_kept_that_are_live_or_that_can_be_gone_back_to(db: sqlite3.Connection) -> None:
    environments.ensure(db, SHOP_MAIN, "main", NOW)
    numbers = [activity(db, NOW) for _ in range(6)]
    for number in numbers:
        text = write_result(Version(number, CommitId("c" * 40), (), (), ()))
        environments.set_live(db, SHOP_MAIN, number, text, NOW)
    environments.set_live(db, SHOP_MAIN, numbers[0], "live", NOW)
    assert set(unneeded.kept_versions(db, keep=2)) == {numbers[0], *numbers[-3:]}


def test_old_activities_go_but_for_those_by_which_a_lost_push_is_known(db: sqlite3.Connection) -> None:
    long_ago = NOW - days(100)
    first, kept, gone = (activity(db, long_ago) for _ in range(3))
    newest_delete = activity(db, long_ago, "delete")
    newest_push, running = activity(db, long_ago), activity(db, long_ago, "redeploy", "in_progress")
    recent = activity(db, NOW, "rollback")
    assert unneeded.old_activities(db, NOW - days(90), [kept]) == [first, gone]
    unneeded.forget_activity(db, gone)
    unneeded.forget_activity(db, running)
    left = [item.id for item in activities.latest(db)]
    assert left == [recent, running, newest_push, newest_delete, kept, first]
    assert len(entries.of_activity(db, gone)) == 0
    assert len(entries.of_activity(db, running)) == 1


def test_deliveries_are_forgotten_in_time(db: sqlite3.Connection) -> None:
    for name, at in (("old", NOW - days(100)), ("new", NOW)):
        deliveries.add(db, "github", SHOP, name, Delivery(None, "said"), at)
    assert unneeded.forget_deliveries(db, NOW - days(90), 100) == 1
    assert deliveries.find(db, "github", SHOP, "new") is not None


def test_of_a_flood_of_deliveries_the_newest_are_kept_and_a_neighbours_are_not_touched(db: sqlite3.Connection) -> None:
    for number in range(50):
        deliveries.add(db, "github", SHOP, f"d{number}", Delivery(None, "said"), NOW + days(number / 100))
    deliveries.add(db, "github", "neighbour", "d0", Delivery(None, "said"), NOW)
    assert unneeded.forget_deliveries(db, NOW - days(90), 10) == 40
    assert deliveries.find(db, "github", SHOP, "d49") is not None
    assert deliveries.find(db, "github", SHOP, "d39") is None
    assert deliveries.find(db, "github", "neighbour", "d0") is not None
