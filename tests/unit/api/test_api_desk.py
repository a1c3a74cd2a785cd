"""What can be asked for: which activity is made of it, and what is refused."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest

from deployd.access.errors import NotFound
from deployd.activity.journal import read_result, write_result
from deployd.api.desk import AlreadyEnded, NothingLive, NotLocked, StateDesk
from deployd.ids import ActivityId, CommitId, EnvironmentName, ProjectId, SlugKey
from deployd.plan import KeyParts
from deployd.release.ports import Host
from deployd.release.version import AppVersion, Version
from deployd.router.paths import RouterPlaces
from deployd.settings import Settings
from deployd.state import activities, environments, locks
from deployd.state.activities import NewActivity, Trigger
from tests.doubles.store import MemoryStore

NOW = datetime(2026, 5, 4, 10, 0, tzinfo=UTC)
SHOP, MAIN = ProjectId("shop"), EnvironmentName("main-bvxea6i")
PARTS = KeyParts("tree", "settings", "variables", "image", "recipe")


def version(commit: str, running: str = "r") -> Version:
    app = AppVersion("app", SlugKey(commit * 64), "tree", "image", PARTS, running)
    return Version(ActivityId(0), CommitId(commit * 40), (app,), (), ("http://shop.test/",))


class Lanes:
    def __init__(self) -> None:
        self.woken = 0
        self.open: set[int] = set()

    def wake(self) -> None:
        self.woken += 1

    async def cancel(self, activity: ActivityId, who: str) -> bool:
        return activity in self.open


class World:
    """A desk over a database in memory."""

    def __init__(self, folder: Path) -> None:
        self.store = MemoryStore()
        self.lanes = Lanes()
        settings = Settings.model_validate({"directory": str(folder), "projects": {"shop": {}}, "keep_versions": 5})
        self.run = settings.run
        host = cast(Host, SimpleNamespace(settings=settings, facts=self))
        clock = SimpleNamespace(now=lambda: NOW)
        self.desk = StateDesk(cast(Any, self.store), host, cast(Any, self.lanes), clock, cast(Any, self))

    async def live(self, project: ProjectId, environment: EnvironmentName) -> Version | None:
        text = await self.store.read(lambda db: environments.live_version(db, project, environment))
        return read_result(text, Version) if text else None

    async def went_live(self, *versions: Version) -> None:
        """One push after the other."""
        new = NewActivity(SHOP, MAIN, "main", "push", 1, CommitId("0" * 40), Trigger("ada", "git"))

        def write(db: Any, item: Version) -> None:
            environments.ensure(db, SHOP, MAIN, "main", NOW)
            number = activities.enqueue(db, new, NOW)
            activities.begin(db, number, NOW)
            activities.finish(db, number, "success", "", NOW)
            environments.set_live(db, SHOP, MAIN, number, write_result(replace(item, activity=number)), NOW)

        for item in versions:
            await self.store.write(lambda db, item=item: write(db, item))

    async def target(self, number: int) -> ActivityId | None:
        """To which version an activity goes back."""
        found = await self.store.read(lambda db: activities.find(db, ActivityId(number)))
        target: ActivityId | None = found.trigger.to
        return target


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    made = World(tmp_path)
    yield made
    made.store.close()


async def test_a_redeploy_takes_the_commit_that_is_live(world: World) -> None:
    await world.went_live(version("a"), version("b"))
    made = await world.desk.redeploy("shop", "main", "ada")
    assert (made.kind, made.commit, made.state, made.who, made.how) == ("redeploy", "b" * 40, "pending", "ada", "api")
    assert world.lanes.woken == 1
    assert (await world.desk.redeploy("shop", MAIN, "ada")).environment == MAIN


async def test_nothing_live_cannot_be_redeployed(world: World) -> None:
    await world.store.write(lambda db: environments.ensure(db, SHOP, MAIN, "main", NOW))
    with pytest.raises(NothingLive, match="nothing is live in main"):
        await world.desk.redeploy("shop", "main", "ada")
    with pytest.raises(NothingLive, match="no version before the live one"):
        await world.desk.rollback("shop", "main", None, "ada")
    assert world.lanes.woken == 0


async def test_a_rollback_goes_to_the_version_before(world: World) -> None:
    await world.went_live(version("a"), version("b"))
    made = await world.desk.rollback("shop", "main", None, "ada")
    assert (made.kind, made.commit, await world.target(made.id)) == ("rollback", "a" * 40, 1)


async def test_a_rollback_passes_over_versions_like_the_live_one(world: World) -> None:
    await world.went_live(version("a"), version("b"), version("b"), version("b"))
    assert await world.target((await world.desk.rollback("shop", "main", None, "ada")).id) == 1


async def test_a_changed_variable_makes_another_version(world: World) -> None:
    await world.went_live(version("a"), version("b", "old"), version("b", "new"))
    assert await world.target((await world.desk.rollback("shop", "main", None, "ada")).id) == 2


async def test_a_rollback_goes_where_it_is_told(world: World) -> None:
    await world.went_live(version("a"), version("b"), version("c"))
    assert await world.target((await world.desk.rollback("shop", "main", 1, "ada")).id) == 1


@pytest.mark.parametrize("to", [3, 4])
async def test_a_rollback_to_the_live_or_an_unknown_version_is_refused(world: World, to: int) -> None:
    await world.went_live(version("a"), version("b"), version("c"))
    with pytest.raises(NothingLive) as caught:
        await world.desk.rollback("shop", "main", to, "ada")
    assert caught.value.what == f"main has no version {to} to go back to"
    assert caught.value.mend == "versions that were live, by their activity: 2, 1"


async def test_what_is_not_there_is_told(world: World) -> None:
    with pytest.raises(NotFound, match="there is no project nope"):
        await world.desk.redeploy("nope", "main", "ada")
    with pytest.raises(NotFound, match="the project shop has no environment next"):
        await world.desk.rollback("shop", "next", None, "ada")


async def test_what_has_ended_is_not_cancelled(world: World) -> None:
    await world.went_live(version("a"))
    with pytest.raises(AlreadyEnded, match="activity 1 has ended already"):
        await world.desk.cancel(1, "ada")
    world.lanes.open = {1}
    assert (await world.desk.cancel(1, "ada")).id == 1


async def test_a_pass_has_a_link_for_each_host_of_what_is_live(world: World) -> None:
    key = RouterPlaces(world.run).pass_key
    key.parent.mkdir(parents=True)
    key.write_bytes(b"key")
    routes = ("http://a.test/", "http://*.a.test/", "http://a.test/blog/", "https://b.test:8443/")
    await world.went_live(replace(version("a"), routes=routes))
    made = await world.desk.make_pass("shop", "main", "ada")
    assert [link.partition("?")[0] for link in made.links] == [
        "http://a.test/.well-known/deployd/pass", "https://b.test:8443/.well-known/deployd/pass",
    ]


async def test_nobody_passes_where_nothing_is_live(world: World) -> None:
    await world.store.write(lambda db: environments.ensure(db, SHOP, MAIN, "main", NOW))
    with pytest.raises(NothingLive, match="nobody waits there"):
        await world.desk.make_pass("shop", "main", "ada")


async def test_a_rollback_of_production_locks_it_unless_that_is_not_wanted(world: World) -> None:
    await world.went_live(version("a"), version("b"))
    await world.desk.rollback("shop", "main", None, "ada", lock=False)
    assert await world.store.read(locks.list_all) == []
    await world.desk.rollback("shop", "main", None, "ada")
    (lock,) = await world.store.read(locks.list_all)
    assert (lock.who, lock.reason) == ("ada", "rolled back to activity 1")


async def test_a_rollback_leaves_somebodys_own_lock_its_words(world: World) -> None:
    await world.went_live(version("a"), version("b"))
    await world.desk.lock("shop", "main", "the sale", "ada")
    await world.desk.rollback("shop", "main", None, "bob")
    (lock,) = await world.store.read(locks.list_all)
    assert (lock.who, lock.reason) == ("ada", "the sale")


async def test_a_lock_names_what_runs_and_an_unlock_what_goes_on(world: World) -> None:
    await world.went_live(version("a"))
    with pytest.raises(NotLocked, match="main is not locked"):
        await world.desk.unlock("shop", "main", "ada")
    running = (await world.desk.redeploy("shop", "main", "ada")).id
    await world.store.write(lambda db: activities.begin(db, running, NOW))
    locked = await world.desk.lock("shop", "main", " the\nsale\x1b[31m ", "ada")
    assert locked.lock is not None
    assert (locked.activities, locked.lock.reason) == ((running,), "the sale[31m")
    await world.store.write(lambda db: activities.hold(db, running, "locked"))
    woken = world.lanes.woken
    unlocked = await world.desk.unlock("shop", MAIN, "ada")
    assert (unlocked.lock, unlocked.activities, world.lanes.woken) == (None, (running,), woken + 1)


@pytest.mark.parametrize("by_rollback", [False, True])
async def test_a_lock_holds_the_end_of_the_environment_that_waits(world: World, *, by_rollback: bool) -> None:
    await world.went_live(version("a"), version("b"))
    new = NewActivity(SHOP, MAIN, "main", "delete", 1, None, Trigger("ada", "git"))
    end: ActivityId = await world.store.write(lambda db: activities.enqueue(db, new, NOW))
    if by_rollback:
        await world.desk.rollback("shop", "main", None, "ada")
    else:
        await world.desk.lock("shop", "main", "the sale", "ada")
    found = await world.store.read(lambda db: activities.find(db, end))
    assert found.held
