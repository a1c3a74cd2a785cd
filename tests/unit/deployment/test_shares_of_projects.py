"""What one project may take of what all share: environments, activities that wait, requests under way, disk."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime

import pytest

from deployd.access.concurrency import RequestLimit, TooMany
from deployd.deployment.kinds import KINDS
from deployd.deployment.share import KEPT_FOR_LIVE, NameTaken, ShareTaken, Wanted, refuse_beyond_share
from deployd.environment.naming import machine_name
from deployd.ids import CommitId, EnvironmentId, ProjectId
from deployd.settings import Settings
from deployd.state import activities, environments
from deployd.state.activities import NewActivity, Trigger
from tests.doubles.store import MemoryStore

NOW = datetime(2026, 3, 2, tzinfo=UTC)
FLOOD, NEIGHBOUR = ProjectId("flood"), ProjectId("neighbour")
SETTINGS = Settings.model_validate({
    "limits": {"environments": 8}, "shares": {"environments": 5, "waiting": 3},
    "projects": {"flood": {}, "neighbour": {}, "large": {"shares": {"environments": 50}}},
})


@pytest.fixture
def store() -> Iterator[MemoryStore]:
    store = MemoryStore()
    yield store
    store.close()


def has(store: MemoryStore, project: ProjectId, *branches: str) -> None:
    for branch in branches:
        environments.ensure(store.db, EnvironmentId(project, machine_name(branch)), branch, NOW)


def waits(store: MemoryStore, project: ProjectId, *wanted: Wanted) -> None:
    for item in wanted:
        activities.enqueue(store.db, NewActivity(
            item.kind, item.environment_in(project), item.branch, CommitId("a" * 40), Trigger("eve", "git")), NOW)


def ask(store: MemoryStore, project: ProjectId, *wanted: Wanted, settings: Settings = SETTINGS) -> None:
    refuse_beyond_share(settings, store.db, project, wanted)


def pushes(*branches: str) -> list[Wanted]:
    return [Wanted(KINDS["push"], branch) for branch in branches]


def test_a_flood_of_branches_is_refused_whole_with_a_mend_and_known_branches_go_on(store: MemoryStore) -> None:
    has(store, FLOOD, "main", "a", "b", "c")
    with pytest.raises(ShareTaken, match="flood has 4 environments, 2 more are wanted, and 5 may be") as refused:
        ask(store, FLOOD, *pushes("d", "e"))
    assert "git push --delete" in refused.value.hint
    assert refused.value.where == "shares.environments"
    ask(store, FLOOD, *pushes("d"))
    ask(store, FLOOD, *pushes("a", "b", "c"))


@pytest.mark.parametrize("first", ["shop", "shop-api"])
def test_no_environment_is_called_like_one_of_another_project(store: MemoryStore, first: str) -> None:
    """`shop` with a branch `api` and a service `y-db`, `shop-api` with a branch `x` and a service `db`: one volume."""
    ends = [(ProjectId("shop"), "api"), (ProjectId("shop-api"), machine_name("api").removeprefix("api-"))]
    (one, his), (two, own) = ends if first == "shop" else ends[::-1]
    has(store, one, his)
    with pytest.raises(NameTaken, match=f"of {two} would be called like one of {one}"):
        ask(store, two, *pushes("main", own))
    ask(store, two, *pushes("main"))
    has(store, two, own)
    ask(store, two, *pushes(own))   # it was there before


def test_data_that_is_kept_of_a_deleted_environment_keeps_its_name(store: MemoryStore) -> None:
    store.db.execute(
        "INSERT INTO secrets (project, environment, service, name, secret) VALUES ('shop', ?, 'db', 'root', 'x')",
        (machine_name("api"),),
    )
    with pytest.raises(NameTaken):
        ask(store, ProjectId("shop-api"), *pushes(machine_name("api").removeprefix("api-")))


def test_ten_thousand_branches_in_one_push_are_one_refusal(store: MemoryStore) -> None:
    with pytest.raises(ShareTaken):
        ask(store, FLOOD, *pushes(*(f"b{number}" for number in range(10_000))))


def test_the_neighbour_has_its_own_share_as_long_as_the_host_has_room(store: MemoryStore) -> None:
    has(store, FLOOD, *"abcde")
    ask(store, NEIGHBOUR, *pushes("main", "x", "y"))
    has(store, NEIGHBOUR, *"xyz")
    with pytest.raises(ShareTaken, match="this host has 8 environments, and 8 may be"):
        ask(store, NEIGHBOUR, *pushes("u"))


def test_a_project_may_be_given_another_share(store: MemoryStore) -> None:
    assert SETTINGS.shares_of("large").environments == 50
    assert SETTINGS.shares_of("large").waiting == 3, "only what it names is another"


@pytest.mark.parametrize("wanted", [
    Wanted(KINDS["push"], "main"), Wanted(KINDS["delete"], "a"), Wanted(KINDS["rollback"], "a"),
    Wanted(KINDS["redeploy"], "main"),
])
def test_what_is_live_finds_a_place_in_a_full_queue(store: MemoryStore, wanted: Wanted) -> None:
    has(store, FLOOD, "main", "a", "b", "c")
    waits(store, FLOOD, *pushes("a", "b", "c"))
    with pytest.raises(ShareTaken, match="3 activities of flood wait already, and 3 may"):
        ask(store, FLOOD, Wanted(KINDS["redeploy"], "a"))
    ask(store, FLOOD, wanted)
    waits(store, FLOOD, *[Wanted(KINDS["rollback"], "a")] * KEPT_FOR_LIVE)
    with pytest.raises(ShareTaken):
        ask(store, FLOOD, wanted)


def test_production_needs_no_room_among_previews(store: MemoryStore) -> None:
    has(store, FLOOD, *"abcde")
    ask(store, FLOOD, *pushes("main"))


def test_a_newer_push_takes_the_place_of_the_one_that_waits(store: MemoryStore) -> None:
    has(store, FLOOD, "a", "b", "c")
    waits(store, FLOOD, *pushes("a", "b", "c"))
    ask(store, FLOOD, *pushes("a"))
    with pytest.raises(ShareTaken):
        ask(store, FLOOD, *pushes("a"), Wanted(KINDS["redeploy"], "b"))


def test_what_runs_does_not_count_as_waiting(store: MemoryStore) -> None:
    has(store, FLOOD, "a", "b", "c", "d")
    waits(store, FLOOD, *pushes("a", "b", "c"))
    activities.begin(store.db, activities.open_ones(store.db)[0].id, NOW)
    ask(store, FLOOD, *pushes("d"))


@pytest.mark.parametrize(("projects", "limits", "shares", "expected"), [
    (1, {}, {}, (2, 4)), (2, {}, {}, (1, 3)), (2, {"builds": 1, "deploys": 1}, {}, (1, 1)),
    (2, {"builds": 8}, {"builds": 2, "deploys": 4}, (2, 4)),
])
def test_one_slot_is_left_for_others_as_soon_as_there_are_others(
    projects: int, limits: dict[str, int], shares: dict[str, int], expected: tuple[int, int],
) -> None:
    names = [f"p{number}" for number in range(projects)]
    settings = Settings.model_validate({"limits": limits, "shares": shares, "projects": dict.fromkeys(names)})
    found = settings.shares_of("p0")
    assert (found.builds, found.deploys) == expected


def test_a_token_has_so_many_seats_and_others_have_theirs() -> None:
    limit = RequestLimit(2)
    with limit.take("eve"), limit.take("eve"):
        with pytest.raises(TooMany, match="the token eve has 2 requests under way already"), limit.take("eve"):
            raise AssertionError("there was no seat")
        with limit.take("ada"):
            pass
    with pytest.raises(ValueError, match="its own"), limit.take("eve"):
        raise ValueError("its own")
    with limit.take("eve"), limit.take("eve"):
        pass
