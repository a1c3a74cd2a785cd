"""Environments as they are told, and how often a version is read for it."""

from __future__ import annotations

import pytest

from deployd.access.errors import NotFound
from deployd.activity.journal import write_result
from deployd.ids import CommitId
from deployd.queries.live_versions import LiveVersion, LiveVersions
from deployd.release.version import Version
from deployd.state import environments
from tests.support.queries_world import MAIN, NOW, SHOP_MAIN, World


async def test_an_environment_says_what_it_does(world: World) -> None:
    number = await world.add()
    (found,) = await world.environments.all("shop")
    assert (found.state, found.doing, found.type, found.activity) == ("deploying", number, "production", None)
    assert found.url == "http://main-bvxea6i-shop.localhost/"
    await world.finish(number, "cancelled")
    (found,) = await world.environments.all()
    assert (found.state, found.doing, found.commit, found.since) == ("new", None, "", "")
    assert await world.environments.all("other") == []


async def test_the_addresses_of_an_environment_are_those_of_its_live_version(world: World) -> None:
    assert await world.environments.addresses("shop", MAIN) == []
    number = await world.add()
    assert await world.environments.addresses("shop", MAIN) == []
    routes = ("https://shop.test/", "http://shop.test/")
    version = write_result(Version(number, CommitId("a" * 40), (), (), routes))
    await world.store.write(lambda db: environments.set_live(db, SHOP_MAIN, number, version, NOW))
    assert await world.environments.addresses("shop", MAIN) == list(routes)
    assert await world.environments.addresses("other", MAIN) == []


async def test_what_is_live_shows_its_commit_and_its_first_address(world: World) -> None:
    number = await world.add()
    await world.finish(number, "success")
    version = write_result(Version(number, CommitId("a" * 40), (), (), ("https://shop.test/", "http://shop.test/")))
    await world.store.write(lambda db: environments.set_live(db, SHOP_MAIN, number, version, NOW))
    world.killed[SHOP_MAIN] = ("a process of app was killed",)
    (found,) = await world.environments.all()
    assert (found.state, found.url, found.commit) == ("live", "https://shop.test/", "a" * 40)
    assert (found.activity, found.since, found.killed) == (number, NOW.isoformat(), ("a process of app was killed",))


async def test_a_version_is_read_once(world: World) -> None:
    number = await world.add()
    version = write_result(Version(number, CommitId("a" * 40), (), (), ()))
    await world.store.write(lambda db: environments.set_live(db, SHOP_MAIN, number, version, NOW))
    versions = LiveVersions(world.store)
    await versions.learn([number, None])
    await world.store.write(lambda db: db.execute("DELETE FROM versions"))
    await versions.learn([number])
    assert versions.of(number) == LiveVersion("a" * 40)
    assert versions.of(None) == LiveVersion()


@pytest.mark.parametrize("name", ["main", MAIN])
async def test_an_environment_is_found_by_its_branch_and_by_its_machine_name(world: World, name: str) -> None:
    await world.add()
    assert (await world.environments.find("shop", name)).id == SHOP_MAIN


async def test_an_environment_that_is_not_there_is_told(world: World) -> None:
    with pytest.raises(NotFound, match="the project shop has no environment next"):
        await world.environments.find("shop", "next")
    with pytest.raises(NotFound, match="there is no project nope"):
        await world.environments.find_configured("nope", "main")
