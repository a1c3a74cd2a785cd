"""Activate, deactivate, pause and wake: which activity is made of them, and what is refused with which words."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from deployd.access.errors import NotFound
from deployd.commands.environments import Overtaken, ProductionStays
from deployd.commands.rests import AlreadySo, Busy
from deployd.deployment.kinds import KINDS
from deployd.deployment.share import NameTaken
from deployd.deployment.stored import TooManyActive
from deployd.deployment.wake import Inactive
from deployd.environment import branches
from deployd.environment.naming import Source, machine_name
from deployd.errors import DeployError, Unusable
from deployd.ids import CommitId, EnvironmentId, EnvironmentName
from deployd.queries.versions import NothingLive
from deployd.state import activities, environments, locks, rests
from deployd.state.activities import NewActivity, Trigger
from deployd.state.locks import Lock
from deployd.state.rests import Rest
from tests.support.commands_world import NOW, SHOP, World

NAP = Source(SHOP, "nap").environment


async def there(world: World, branch: str = "nap", rest: Rest = "", *, live: bool = True) -> EnvironmentId:
    """An environment in which version 1 was made live."""
    key = Source(SHOP, branch).environment

    def write(db: Any) -> None:
        environments.ensure(db, key, branch, NOW)
        if live:
            number = activities.enqueue(
                db, NewActivity(KINDS["push"], key, branch, CommitId("a" * 40), Trigger("ada", "git")), NOW)
            environments.set_live(db, key, number, "{}", NOW)
            activities.begin(db, number, NOW)
            activities.finish(db, number, "success", "", NOW)
        rests.put(db, key, rest, NOW)

    await world.store.write(write)
    return key


async def opened(world: World, kind: str, key: EnvironmentId = NAP, branch: str = "nap") -> int:
    new = NewActivity(KINDS[kind], key, branch, CommitId("a" * 40), Trigger("eve", "git"))
    return await world.store.write(lambda db: activities.enqueue(db, new, NOW))


async def test_what_runs_is_paused_and_what_is_paused_is_woken(world: World) -> None:
    await there(world)
    made = await world.rests.pause("shop", "nap", "ada")
    assert (made.kind, made.commit, made.who, made.how) == ("pause", "", "ada", "api")
    await there(world, "other", "paused")
    assert (await world.rests.wake("shop", "other", "ada")).kind == "wake"
    assert world.lanes.woken == 2


@pytest.mark.parametrize(("name", "rest", "error"), [
    ("pause", "paused", AlreadySo), ("pause", "inactive", Inactive), ("wake", "", AlreadySo),
    ("wake", "inactive", Inactive),
    ("deactivate", "inactive", AlreadySo), ("activate", "", AlreadySo), ("activate", "paused", AlreadySo),
])
async def test_what_is_so_already_or_cannot_become_so_is_refused_in_a_sentence(
    world: World, name: str, rest: Rest, error: type[DeployError],
) -> None:
    await there(world, rest=rest)
    with pytest.raises(error, match=r"^nap is "):
        await getattr(world.rests, name)("shop", "nap", "ada")
    assert world.lanes.woken == 0


@pytest.mark.parametrize("name", ["pause", "wake", "deactivate", "activate"])
@pytest.mark.parametrize("kind", ["push", "delete", "pause"])
async def test_beside_what_waits_or_runs_it_is_refused_with_what_that_is(world: World, name: str, kind: str) -> None:
    await there(world, rest={"wake": "paused", "activate": "inactive"}.get(name, ""))  # type: ignore[arg-type]
    number = await opened(world, kind)
    with pytest.raises(Busy, match=f"now: {kind} {number} of eve waits there"):
        await getattr(world.rests, name)("shop", "nap", "ada")


async def test_what_is_held_by_a_lock_is_no_reason_to_refuse(world: World) -> None:
    key = await there(world)
    await world.store.write(lambda db: locks.put(db, Lock(key, "eve", "", NOW)))
    await opened(world, "delete")
    assert (await world.rests.pause("shop", "nap", "ada")).kind == "pause"


async def test_a_deactivation_of_what_is_locked_waits_for_the_unlock(world: World) -> None:
    key = await there(world)
    await world.store.write(lambda db: locks.put(db, Lock(key, "eve", "the demo", NOW)))
    made = await world.rests.deactivate("shop", "nap", "ada")
    assert "locked by eve" in made.waits


async def test_production_stays_active_and_awake(world: World) -> None:
    await there(world, "main")
    for name in ("pause", "deactivate"):
        with pytest.raises(ProductionStays, match="main is the production branch of shop"):
            await getattr(world.rests, name)("shop", "main", "ada")


async def test_production_may_be_paused_where_the_settings_say_so_of_it(tmp_path: Path) -> None:
    world = World(tmp_path, {"environments": {"main": {"pause_after_minutes": 60}}})
    await there(world, "main")
    assert (await world.rests.pause("shop", "main", "ada")).kind == "pause"


async def test_nothing_live_is_not_paused(world: World) -> None:
    await there(world, live=False)
    with pytest.raises(NothingLive, match="nothing is live in nap"):
        await world.rests.pause("shop", "nap", "ada")


async def test_an_inactive_environment_is_activated_at_the_tip_of_its_branch(world: World) -> None:
    await there(world, rest="inactive")
    made = await world.rests.activate("shop", "nap", "ada")
    assert (made.kind, made.branch, made.commit) == ("activate", "nap", "f" * 40)
    assert await world.store.read(lambda db: rests.of(db, NAP)) == "inactive", "until it is deployed"
    with pytest.raises(Busy, match=f"activate {made.id} of ada waits there"):
        await world.rests.activate("shop", "nap", "eve")


async def test_a_branch_without_an_environment_is_activated_by_its_name(world: World) -> None:
    made = await world.rests.activate("shop", "wip/idea", "ada")
    assert (made.kind, made.branch, made.environment) == ("activate", "wip/idea", machine_name("wip/idea"))


async def test_a_branch_gets_no_environment_of_another_one_by_being_activated(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch,
) -> None:
    """35 bits of a hash are equal when somebody wants it: what is live there would pass by what protects the other."""
    world = World(tmp_path, {"environments": {"staging": {"protected": True}}})
    taken = Source(SHOP, "nap!").environment
    await world.store.write(lambda db: environments.ensure_stored(db, taken, "nap", NOW, 9))
    monkeypatch.setattr(branches, "machine_name", lambda branch: EnvironmentName(branch.strip("!")))
    for branch, other in (("nap!", "nap"), ("staging!", "staging"), ("main!", "main")):
        with pytest.raises(NameTaken, match=f"{branch} and {other} would have one environment"):
            await world.rests.activate("shop", branch, "ada")
    assert (await world.rests.activate("shop", "staging", "ada")).kind == "activate"
    world.store.close()


@pytest.mark.parametrize("branch", ["-x", "HEAD", "a" * 40])
async def test_what_can_be_no_branch_is_not_activated(world: World, branch: str) -> None:
    with pytest.raises(NotFound):
        await world.rests.activate("shop", branch, "ada")


async def test_no_more_are_activated_than_may_be_active_and_two_at_once_do_not_get_past(tmp_path: Path) -> None:
    world = World(tmp_path, {"max_active": 2})
    await there(world, "main")
    await there(world, "one", "paused")
    await world.rests.activate("shop", "two", "ada")   # waits, and counts
    with pytest.raises(TooManyActive, match="2 environments of shop are active besides production, and 2 may be"):
        await world.rests.activate("shop", "three", "ada")


@pytest.mark.parametrize("name", ["redeploy", "rollback", "push_again"])
async def test_what_is_inactive_is_deployed_by_being_activated_alone(world: World, name: str) -> None:
    await there(world, rest="inactive")
    deed: Callable[..., Any] = getattr(world.environments, name)
    with pytest.raises(Inactive, match="nap is inactive"):
        await (deed("shop", "nap", "ada") if name == "redeploy" else deed("shop", "nap", 1, "ada"))


async def test_who_looked_before_somebody_else_asked_is_told(world: World) -> None:
    await there(world)
    seen = 1
    await world.store.write(lambda db: activities.finish(db, activities.enqueue(
        db, NewActivity(KINDS["wake"], NAP, "nap", None, Trigger("eve", "api")), NOW), "cancelled", "", NOW))
    with pytest.raises(Overtaken, match="eve asked for wake 2"):
        await world.rests.pause("shop", "nap", "ada", seen=seen)


async def test_an_environment_has_a_title_and_a_parent_until_the_parent_goes(world: World) -> None:
    for branch in ("main", "release", "nap"):
        await there(world, branch, live=False)
    made = await world.descriptions.describe("shop", "nap", title="  The new\n cart \x1b[31m", parent="release")
    assert (made.title, made.parent) == ("The new cart [31m", "release")
    assert (await world.descriptions.describe("shop", "nap", title="")).parent == "release"
    release = Source(SHOP, "release").environment
    await world.store.write(lambda db: environments.forget(db, release))
    [found] = [item for item in await world.known.all("shop") if item.branch == "nap"]
    assert (found.title, found.parent) == ("", "main")
    [main] = [item for item in await world.known.all("shop") if item.branch == "main"]
    assert main.parent == ""


async def test_nobody_is_among_their_own_parents(world: World) -> None:
    for branch in ("main", "a", "b", "c"):
        await there(world, branch, live=False)
    await world.descriptions.describe("shop", "b", parent="a")
    await world.descriptions.describe("shop", "c", parent="b")
    for child in ("a", "b", "c"):
        with pytest.raises(Unusable, match=f"c cannot be the parent of {child}"):
            await world.descriptions.describe("shop", child, parent="c")
    with pytest.raises(Unusable, match="production has no parent"):
        await world.descriptions.describe("shop", "main", parent="a")
    with pytest.raises(NotFound):
        await world.descriptions.describe("shop", "a", parent="nobody")
