"""Locks: what they hold, whose words they keep, and what goes on after them."""

from __future__ import annotations

from datetime import timedelta
from types import SimpleNamespace
from typing import Any

import pytest

from deployd.commands.locks import NotLocked
from deployd.deployment.kinds import KINDS
from deployd.deployment.requests import Requests
from deployd.errors import Unusable
from deployd.ids import ActivityId
from deployd.state import activities, locks
from deployd.state.activities import NewActivity, Trigger
from deployd.state.locks import Lock
from deployd.upkeep.lock_ends import LockEnds
from tests.support.commands_world import MAIN, NOW, SHOP_MAIN, World, version

MISSING: Any = None


async def test_a_rollback_of_production_locks_it_unless_that_is_not_wanted(world: World) -> None:
    await world.went_live(version("a"), version("b"))
    await world.environments.rollback("shop", "main", None, "ada", lock=False)
    assert await world.store.read(locks.list_all) == []
    await world.environments.rollback("shop", "main", None, "ada")
    (lock,) = await world.store.read(locks.list_all)
    assert (lock.who, lock.reason) == ("ada", "rolled back to activity 1")


async def test_a_rollback_leaves_somebodys_own_lock_its_words(world: World) -> None:
    await world.went_live(version("a"), version("b"))
    await world.locks.lock("shop", "main", "the sale", "ada")
    await world.environments.rollback("shop", "main", None, "bob")
    (lock,) = await world.store.read(locks.list_all)
    assert (lock.who, lock.reason) == ("ada", "the sale")


async def test_a_lock_names_what_runs_and_an_unlock_what_goes_on(world: World) -> None:
    await world.went_live(version("a"))
    with pytest.raises(NotLocked, match="main is not locked"):
        await world.locks.unlock("shop", "main", "ada")
    running = (await world.environments.redeploy("shop", "main", "ada")).id
    await world.store.write(lambda db: activities.begin(db, running, NOW))
    locked = await world.locks.lock("shop", "main", " the\nsale\x1b[31m ", "ada")
    assert locked.lock is not None
    assert (locked.activities, locked.lock.reason) == ((running,), "the sale[31m")
    await world.store.write(lambda db: activities.hold(db, running, "locked"))
    woken = world.lanes.woken
    unlocked = await world.locks.unlock("shop", MAIN, "ada")
    assert (unlocked.lock, unlocked.activities, world.lanes.woken) == (None, (running,), woken + 1)


@pytest.mark.parametrize("by_rollback", [False, True])
async def test_a_lock_holds_the_end_of_the_environment_that_waits(world: World, *, by_rollback: bool) -> None:
    await world.went_live(version("a"), version("b"))
    new = NewActivity(KINDS["delete"], SHOP_MAIN, "main", None, Trigger("ada", "git"))
    end: ActivityId = await world.store.write(lambda db: activities.enqueue(db, new, NOW))
    if by_rollback:
        await world.environments.rollback("shop", "main", None, "ada")
    else:
        await world.locks.lock("shop", "main", "the sale", "ada")
    found = await world.store.read(lambda db: activities.find(db, end))
    assert found.held


async def test_a_lock_that_has_an_end_ends_then_and_not_the_one_that_took_its_place(world: World) -> None:
    await world.went_live(version("a"))
    with pytest.raises(Unusable, match="has been"):
        await world.locks.lock("shop", "main", "", "ada", until=NOW)
    locked = await world.locks.lock("shop", "main", "the sale", "ada", until=NOW + timedelta(hours=1))
    assert locked.lock is not None
    assert locked.lock.until == "2026-05-04T11:00:00+00:00"
    held = (await world.environments.redeploy("shop", "main", "ada")).id
    await world.store.write(lambda db: activities.begin(db, held, NOW))
    await world.store.write(lambda db: activities.hold(db, held, "locked"))
    now, requests = NOW, Requests(world.store, world.settings, MISSING, world.lanes.wake)
    ends = LockEnds(world.store, SimpleNamespace(now=lambda: now), requests)   # type: ignore[arg-type]
    await ends.look()
    (lock,) = await world.store.read(locks.list_all)
    assert lock.said("main") == (
        "main is locked by ada since 2026-05-04 10:00 UTC, until 2026-05-04 11:00 UTC: the sale"
    )
    now = NOW + timedelta(hours=1)
    await world.locks.lock("shop", "main", "for ever", "bob")
    await ends.look()
    assert [lock.who for lock in await world.store.read(locks.list_all)] == ["bob"]
    await world.store.write(lambda db: locks.put(db, Lock(SHOP_MAIN, "ada", "", NOW, until=now)))
    await ends.look()
    assert await world.store.read(locks.list_all) == []
    found = await world.store.read(lambda db: activities.find(db, ActivityId(held)))
    assert not found.held
