"""Environments as they are told."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from deployd.activity.journal import write_result
from deployd.ids import CommitId
from deployd.release.version import Version
from deployd.state import environments
from tests.unit.queries_world import MAIN, NOW, SHOP_MAIN, World


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    made = World(tmp_path)
    yield made
    made.store.close()


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
