"""What is put back at a start, in which order, and what visitors meet when it cannot be."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from deployd.activity.journal import write_result
from deployd.deployment.results import Frozen
from deployd.errors import DeployError
from deployd.state import activities, rests
from deployd.upkeep.ownership import read_live
from deployd.upkeep.reconcile import Reconciler
from tests.doubles.engine import EngineDouble
from tests.support.upkeep_stand import BASE, KEY, Stand

pytestmark = pytest.mark.looptime
ROLES = ("web", "app")


class World:
    def __init__(self, folder: Path) -> None:
        self.engine = EngineDouble()
        self.stand = Stand(folder, engine=self.engine)
        names, activity = self.stand.names, self.stand.version.activity
        self.names = {role: names.container(activity, role, "app") for role in ROLES}
        for role, name in self.names.items():
            self.engine.add(name, dict(names.labels(role, "app", activity)), network=names.network)
        self.reconciler = Reconciler(self.stand.store, self.stand.host, self.stand.clock)


@pytest.fixture
def world(tmp_path: Path) -> World:
    return World(tmp_path)


async def test_a_freeze_is_put_back_before_the_routes(world: World) -> None:
    world.stand.deploy(("start_services", "done", None), ("freeze", "done", write_result(Frozen(True))))
    await world.reconciler.put_routes_back()
    assert world.stand.router.told == ["freeze", "put", "preview 2"]


async def test_a_freeze_that_ended_while_it_was_put_back_holds_nobody(
    world: World, monkeypatch: pytest.MonkeyPatch,
) -> None:
    number = world.stand.deploy(("start_services", "done", None), ("freeze", "done", write_result(Frozen(True))))
    freeze = world.stand.router.freeze

    async def too_late(*asked: Any) -> None:
        world.stand.finish(number)   # it had thawed a router that knew of no freeze
        await freeze(*asked)
    monkeypatch.setattr(world.stand.router, "freeze", too_late)
    await world.reconciler.put_routes_back()
    assert world.stand.router.told == ["freeze", "thaw", "put"]
    assert world.stand.router.frozen == {}


async def test_a_look_that_began_before_a_switch_does_not_lead_visitors_back(world: World) -> None:
    stand = world.stand
    earlier = await read_live(stand.store, stand.host.settings, KEY)
    assert earlier is not None
    assert await world.reconciler.put_routes(KEY, earlier)
    [routes] = stand.router.put_sets
    stand.router.put_sets.append(replace(routes, version="2"))
    stand.become(stand.app)
    assert not await world.reconciler.put_routes(KEY, earlier)
    assert [routes.version for routes in stand.router.put_sets] == ["1", "2"]


async def test_a_switch_right_before_routes_are_put_wins(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    stand, asked = world.stand, world.stand.router.look
    earlier = await read_live(stand.store, stand.host.settings, KEY)
    assert earlier is not None
    assert await world.reconciler.put_routes(KEY, earlier)
    [routes] = stand.router.put_sets

    async def look_and_lose(environment: str) -> str | None:
        """A deployment switches after the question, and has not written so down yet."""
        seen = await asked(environment)
        if len(stand.router.put_sets) == 1:
            stand.router.put_sets.append(replace(routes, version="2"))
        return seen
    monkeypatch.setattr(stand.router, "look", look_and_lose)
    web = world.names["web"]
    world.engine.there[web] = replace(world.engine.there[web], addresses={stand.names.network: "10.0.0.9"})
    assert not await world.reconciler.put_routes(KEY, earlier)
    assert [routes.version for routes in stand.router.put_sets] == ["1", "2"]


async def test_containers_that_docker_started_before_their_slug_was_mounted_are_started_again_in_order(
    world: World,
) -> None:
    for name in world.names.values():
        world.engine.unmount(name)
    await world.reconciler.put_back()
    assert [name for name, _ in world.engine.started] == [world.names["web"], world.names["app"]]


async def test_containers_that_see_their_slug_are_left_alone(world: World) -> None:
    await world.reconciler.put_back()
    assert world.engine.started == []


async def test_an_environment_that_cannot_be_put_back_is_known_and_leads_nowhere(
    world: World, monkeypatch: pytest.MonkeyPatch,
) -> None:
    async def damaged(_: object) -> None:
        raise DeployError("the slug is damaged")
    monkeypatch.setattr(world.reconciler, "mount", damaged)
    assert await world.reconciler.put_back() == 0
    [routes] = world.stand.router.put_sets
    assert (routes.environment, routes.version) == (str(KEY), "")
    assert [(route.host, route.targets) for route in routes.routes] == [("shop.localhost", ())]


async def test_what_the_router_knows_is_not_shut(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    await world.reconciler.put_back()
    world.stand.router.put_sets.clear()

    async def known(_: object) -> str:
        return "1"

    async def damaged(_: object) -> None:
        raise DeployError("the slug is damaged")
    monkeypatch.setattr(world.stand.router, "look", known)
    monkeypatch.setattr(world.reconciler, "mount", damaged)
    await world.reconciler.put_back()
    assert world.stand.router.put_sets == []


async def test_a_router_that_has_forgotten_all_is_told_of_what_sleeps_and_nothing_is_started(world: World) -> None:
    rests.put(world.stand.store.db, KEY, "paused", BASE)
    for name in world.names.values():
        world.engine.end(name)
    assert await world.reconciler.put_back() == 0
    assert await world.reconciler.put_routes_back() == 0
    assert [(item.asleep is not None, [route.targets for route in item.routes if route.type == "upstream"])
            for item in world.stand.router.put_sets] == [(True, [()])] * 2
    assert not any(seen.running for seen in world.engine.there.values())


async def test_what_is_being_paused_is_not_started_again_by_a_daemon_that_comes_back(world: World) -> None:
    number = world.stand.enqueue("pause")
    activities.begin(world.stand.store.db, number, BASE)
    world.stand.journal(number, "close_environment", "started")
    world.engine.end(world.names["app"])
    await world.reconciler.put_back()
    assert [item.asleep is not None for item in world.stand.router.put_sets] == [True]
    assert not world.engine.there[world.names["app"]].running


async def test_what_is_inactive_is_nobodys_affair(world: World) -> None:
    rests.put(world.stand.store.db, KEY, "inactive", BASE)
    await world.reconciler.put_back()
    await world.reconciler.put_routes_back()
    assert world.stand.router.put_sets == []
