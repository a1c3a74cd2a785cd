"""Redeploys and rollbacks: which activity is made of them, and what is refused."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest

from deployd.access.errors import NotFound
from deployd.commands.environments import Overtaken, ProductionStays, StaysLocked
from deployd.environment.naming import machine_name
from deployd.ids import ActivityId, EnvironmentId
from deployd.queries.pushes import NotAgain
from deployd.queries.versions import NothingLive
from deployd.state import bad_releases, environments, locks
from deployd.state.bad_releases import BadRelease
from deployd.state.locks import Lock
from tests.support.commands_world import MAIN, NOW, SHOP, SHOP_MAIN, World, version


async def test_a_redeploy_takes_the_commit_that_is_live(world: World) -> None:
    await world.went_live(version("a"), version("b"))
    made = await world.environments.redeploy("shop", "main", "ada")
    assert (made.kind, made.commit, made.state, made.who, made.how) == ("redeploy", "b" * 40, "pending", "ada", "api")
    assert world.lanes.woken == 1
    assert (await world.environments.redeploy("shop", MAIN, "ada")).environment == MAIN


async def test_nothing_live_cannot_be_redeployed(world: World) -> None:
    await world.store.write(lambda db: environments.ensure(db, SHOP_MAIN, "main", NOW))
    with pytest.raises(NothingLive, match="nothing is live in main"):
        await world.environments.redeploy("shop", "main", "ada")
    with pytest.raises(NothingLive, match="no version before the live one"):
        await world.environments.rollback("shop", "main", None, "ada")
    assert world.lanes.woken == 0


async def test_a_rollback_goes_to_the_version_before(world: World) -> None:
    await world.went_live(version("a"), version("b"))
    made = await world.environments.rollback("shop", "main", None, "ada")
    assert (made.kind, made.commit, await world.target(made.id)) == ("rollback", "a" * 40, 1)


async def test_a_rollback_passes_over_versions_like_the_live_one(world: World) -> None:
    await world.went_live(version("a"), version("b"), version("b"), version("b"))
    assert await world.target((await world.environments.rollback("shop", "main", None, "ada")).id) == 1


async def test_a_changed_variable_makes_another_version(world: World) -> None:
    await world.went_live(version("a"), version("b", "old"), version("b", "new"))
    assert await world.target((await world.environments.rollback("shop", "main", None, "ada")).id) == 2


async def test_a_rollback_passes_over_a_bad_release_unless_it_is_named(world: World) -> None:
    await world.went_live(version("a"), version("b"), version("c"))
    bad = BadRelease(ActivityId(2), SHOP_MAIN, "it failed", NOW, None, None)
    await world.store.write(lambda db: bad_releases.put(db, bad))
    assert await world.target((await world.environments.rollback("shop", "main", None, "ada")).id) == 1
    assert await world.target((await world.environments.rollback("shop", "main", 2, "ada")).id) == 2


async def test_a_rollback_goes_where_it_is_told(world: World) -> None:
    await world.went_live(version("a"), version("b"), version("c"))
    assert await world.target((await world.environments.rollback("shop", "main", 1, "ada")).id) == 1


@pytest.mark.parametrize("to", [3, 4])
async def test_a_rollback_to_the_live_or_an_unknown_version_is_refused(world: World, to: int) -> None:
    await world.went_live(version("a"), version("b"), version("c"))
    with pytest.raises(NothingLive) as caught:
        await world.environments.rollback("shop", "main", to, "ada")
    assert caught.value.what == f"main has no version {to} to go back to"
    assert caught.value.hint == "versions that were live, by their activity: 2, 1"


async def test_what_is_not_there_is_told(world: World) -> None:
    with pytest.raises(NotFound, match="there is no project nope"):
        await world.environments.redeploy("nope", "main", "ada")
    with pytest.raises(NotFound, match="the project shop has no environment next"):
        await world.environments.rollback("shop", "next", None, "ada")


async def test_who_presses_second_is_told_who_was_first(world: World) -> None:
    await world.went_live(version("a"), version("b"))
    await world.environments.redeploy("shop", "main", "ada", seen=2)
    for second in (world.environments.redeploy("shop", "main", "bob", seen=2),
                   world.environments.rollback("shop", "main", 1, "bob", seen=2)):
        with pytest.raises(Overtaken, match=r"ada asked for redeploy 3 of main meanwhile, at 10:00:00; it is pending"):
            await second
    assert world.lanes.woken == 1
    assert (await world.environments.rollback("shop", "main", 1, "bob", seen=3)).id == 4


async def test_a_push_that_ended_is_asked_for_once_more(world: World) -> None:
    await world.went_live(version("a"))
    made = await world.environments.push_again("shop", "main", await world.pushed("f" * 40, "failed"), "ada", seen=2)
    assert (made.id, made.kind, made.commit, made.who, made.how) == (3, "push", "f" * 40, "ada", "api")
    with pytest.raises(NotAgain, match="push 3 has not ended yet"):
        await world.environments.push_again("shop", "main", made.id, "ada")
    with pytest.raises(Overtaken, match="ada asked for push 3 of main"):
        await world.environments.push_again("shop", "main", 2, "bob", seen=2)
    assert world.lanes.woken == 1


async def test_what_was_pushed_since_is_not_taken_away_by_an_earlier_push(world: World) -> None:
    older, other = await world.pushed("a" * 40, "failed"), EnvironmentId(SHOP, machine_name("try"))
    with pytest.raises(NotAgain, match="main has moved on from aaaaaaaa to ffffffff, and push 1 is not its newest"):
        await world.environments.push_again("shop", "main", older, "ada")
    await world.store.write(lambda db: environments.ensure(db, other, "try", NOW))
    with pytest.raises(NotFound, match="try has no activity 1"):
        await world.environments.push_again("shop", "try", older, "ada")
    await world.went_live(version("f"))
    number = (await world.environments.redeploy("shop", "main", "ada")).id
    with pytest.raises(NotAgain, match=f"activity {number} is a redeploy and not a push"):
        await world.environments.push_again("shop", "main", number, "ada")
    world.tip_now = None
    with pytest.raises(NotAgain, match="there is no branch main in the repository any more"):
        await world.environments.push_again("shop", "main", older, "ada")


async def test_an_environment_ends_and_that_of_production_stays(world: World) -> None:
    await world.went_live(version("a"))
    with pytest.raises(ProductionStays, match="main is the production branch of shop"):
        await world.environments.delete("shop", "main", "ada")
    await world.store.write(lambda db: environments.ensure(db, EnvironmentId(SHOP, machine_name("try")), "try", NOW))
    made = await world.environments.delete("shop", "try", "ada")
    assert (made.kind, made.branch, made.commit, made.how) == ("delete", "try", "f" * 40, "api")
    with pytest.raises(Overtaken, match="ada asked for delete 2 of try"):
        await world.environments.delete("shop", "try", "bob", seen=0)


async def test_a_protected_environment_is_not_deleted_and_stays_locked_after_a_rollback(world: World) -> None:
    await world.went_live(version("a"), version("b"))
    world.protect()
    with pytest.raises(ProductionStays, match="protected"):
        await world.environments.delete("shop", "main", "ada")
    with pytest.raises(StaysLocked) as raised:
        await world.environments.rollback("shop", "main", None, "ada", lock=False)
    assert "deployd unlock shop main" in raised.value.hint
    assert world.lanes.woken == 0
    await world.environments.rollback("shop", "main", None, "ada")
    (lock,) = await world.store.read(locks.list_all)
    assert (lock.who, lock.reason) == ("ada", "rolled back to activity 1")


async def test_a_lock_that_would_have_ended_by_itself_lasts_after_a_rollback(world: World) -> None:
    await world.went_live(version("a"), version("b"))
    world.protect()
    ending = Lock(SHOP_MAIN, "eve", "the sale", NOW, NOW + timedelta(minutes=1))
    await world.store.write(lambda db: locks.put(db, ending))
    await world.environments.rollback("shop", "main", None, "ada")
    assert await world.store.read(locks.list_all) == [replace(ending, until=None)]
