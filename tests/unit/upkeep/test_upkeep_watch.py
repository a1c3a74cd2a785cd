"""What the watch does about containers that end, and what it leaves alone."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Collection
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from datetime import timedelta
from itertools import pairwise
from pathlib import Path

import pytest

from deployd.activity.journal import write_result
from deployd.deployment.deployment import Deployment
from deployd.deployment.results import Frozen
from deployd.engine.names import ACTIVITY
from deployd.errors import DeployError
from deployd.upkeep.back_off import BackOff
from deployd.upkeep.reconcile import Reconciler
from deployd.upkeep.router_repair import RouterRepairer
from deployd.upkeep.watch import Watch
from tests.doubles.engine import EngineDouble
from tests.support.upkeep_stand import BASE, INSTANCE, KEY, MAIN, SHOP, Stand

pytestmark = pytest.mark.looptime
FROZEN = ("freeze", "done", write_result(Frozen(True)))


@dataclass
class Remaker:
    """Makes containers again; what it is to make and when stands in `asked`."""

    stand: Stand
    engine: EngineDouble
    asked: list[tuple[set[tuple[str, str]], float]] = field(default_factory=list)
    broken: bool = False

    async def __call__(
        self, deployment: Deployment, host: object, missing: Collection[tuple[str, str]], is_ours: object,
    ) -> bool:
        self.asked.append((set(missing), round(asyncio.get_running_loop().time(), 1)))
        if self.broken:
            raise DeployError("its image is gone")
        for role, part in missing:
            name = deployment.names.container(deployment.id, role, part)
            self.engine.add(name, dict(deployment.names.labels(role, part, deployment.id)), "10.0.0.7",
                            deployment.names.network)
        return True

    async def ensure_router(self) -> None:
        self.asked.append((set(), round(asyncio.get_running_loop().time(), 1)))
        self.engine.add(f"{INSTANCE}-router", {"deployd": INSTANCE, "deployd.role": "router"})


@dataclass
class World:
    stand: Stand
    engine: EngineDouble
    watch: Watch
    reconciler: Reconciler
    remaker: Remaker

    def name(self, role: str) -> str:
        return self.stand.names.container(self.stand.version.activity, role, "app")

    @property
    def starts(self) -> list[str]:
        return [name for name, _ in self.engine.started]

    def addresses(self) -> list[str]:
        """Where the router sends requests, after each time that it was told."""
        return [",".join(target.address for route in item.routes for target in route.targets)
                for item in self.stand.router.put_sets]


@pytest.fixture
def world(tmp_path: Path) -> World:
    engine = EngineDouble()
    stand = Stand(tmp_path, engine=engine)
    names = stand.names
    for role in ("app", "web"):
        engine.add(names.container(stand.version.activity, role, "app"),
                   dict(names.labels(role, "app", stand.version.activity)), network=names.network)
    engine.add(f"{INSTANCE}-router", {"deployd": INSTANCE, "deployd.role": "router"})
    reconciler = Reconciler(stand.store, stand.host, stand.clock)
    remaker = Remaker(stand, engine)
    router = RouterRepairer(stand.host, stand.router, reconciler, remaker.ensure_router)
    watch = Watch(stand.store, stand.host, reconciler, router, recreate=remaker)
    return World(stand, engine, watch, reconciler, remaker)


@asynccontextmanager
async def watched(world: World) -> AsyncIterator[None]:
    """In the test and not in the fixture: virtual time begins with the test."""
    async with asyncio.TaskGroup() as group:
        serving = group.create_task(world.watch.serve())
        await asyncio.sleep(1)
        yield
        serving.cancel()


async def test_nothing_is_done_while_all_is_well(world: World) -> None:
    async with watched(world):
        before = len(world.stand.router.put_sets)
        await asyncio.sleep(600)
        assert (world.starts, world.watch.degraded()) == ([], ())
        assert len(world.stand.router.put_sets) == before


async def test_a_container_that_docker_gave_up_on_is_started(world: World) -> None:
    async with watched(world):
        world.engine.end(world.name("app"))
        await asyncio.sleep(1)
        assert world.starts == [world.name("app")]


async def test_a_container_that_ends_again_and_again_is_started_more_and_more_seldom_and_told(world: World) -> None:
    async with watched(world):
        for _ in range(8):
            world.engine.end(world.name("web"))
            while not world.engine.there[world.name("web")].running:
                await asyncio.sleep(0.05)
        moments = [moment for _, moment in world.engine.started]
        pauses = [later - earlier for earlier, later in pairwise(moments)]
        assert pauses == sorted(pauses)
        assert 32 <= pauses[-1] <= 61
        assert "the web container of app ended" in world.watch.degraded()[0]
        await asyncio.sleep(700)
        assert world.watch.degraded() == ()


async def test_a_container_that_comes_back_elsewhere_is_told_to_the_router(world: World) -> None:
    async with watched(world):
        web = world.name("web")
        world.engine.there[web] = replace(world.engine.there[web], addresses={world.stand.names.network: "10.0.0.9"})
        world.engine.tell(web, "start")
        await asyncio.sleep(1)
        assert world.addresses() == ["10.0.0.2", "10.0.0.9"]


async def test_an_environment_is_left_to_its_deployment_and_looked_at_after_it(world: World) -> None:
    async with watched(world):
        number = world.stand.deploy(("start_services", "started", None))
        world.engine.end(world.name("app"))
        await asyncio.sleep(300)
        assert world.starts == []
        world.stand.finish(number)
        await asyncio.sleep(5)
        assert world.starts == [world.name("app")]


async def test_a_deployment_that_only_builds_is_no_reason_to_wait(world: World) -> None:
    async with watched(world):
        world.stand.deploy(("fetch", "done", None), ("build_apps", "started", None))
        world.engine.end(world.name("app"))
        await asyncio.sleep(1)
        assert world.starts == [world.name("app")]


async def test_containers_of_other_versions_stay_as_they_are(world: World) -> None:
    async with watched(world):
        old = {**world.engine.there[world.name("app")].labels, ACTIVITY: "99"}
        world.engine.add("old", old, network=world.stand.names.network)
        world.engine.end("old")
        await asyncio.sleep(120)
        assert world.starts == []


async def test_nothing_is_started_in_an_environment_that_is_to_be_deleted(world: World) -> None:
    async with watched(world):
        world.stand.enqueue("delete")
        world.engine.end(world.name("app"))
        await asyncio.sleep(120)
        assert world.starts == []


def remove(world: World, role: str) -> None:
    world.engine.tell(world.name(role), "destroy")
    del world.engine.there[world.name(role)]


async def test_a_container_that_somebody_removed_is_made_again(world: World) -> None:
    async with watched(world):
        remove(world, "web")
        await asyncio.sleep(3)
        assert [missing for missing, _ in world.remaker.asked] == [{("web", "app")}]
        assert world.addresses() == ["10.0.0.2", "10.0.0.7"]
        assert world.watch.degraded() == ()


async def test_an_application_of_a_network_that_is_gone_is_made_anew(world: World) -> None:
    async with watched(world):
        name = world.name("app")
        world.engine.strand(name)
        world.engine.end(name)
        await asyncio.sleep(5)
        assert world.engine.there[name].running
        assert [asked for asked, _ in world.remaker.asked] == [{("app", "app")}]


async def test_a_container_that_cannot_be_made_again_is_told_and_tried_again_with_growing_pauses(world: World) -> None:
    async with watched(world):
        world.remaker.broken = True
        remove(world, "app")
        await asyncio.sleep(200)
        moments = [moment for _, moment in world.remaker.asked]
        pauses = [later - earlier for earlier, later in pairwise(moments)]
        assert 60 <= pauses[-1] <= 62
        assert world.watch.degraded() == (
            f"{SHOP}/{MAIN}: the app container of app was removed and cannot be made again: its image is gone",)
        world.remaker.broken = False
        await asyncio.sleep(70)
        assert world.watch.degraded() == ()


async def test_a_new_version_does_not_wait_for_what_was_removed_from_older_ones(world: World) -> None:
    async with watched(world):
        for _ in range(7):
            for role in ("app", "web"):
                labels = dict(world.stand.names.labels(role, "app", world.stand.version.activity))
                world.engine.add(world.name(role), labels, network=world.stand.names.network)
            began = asyncio.get_running_loop().time()
            remove(world, "web")
            while world.name("web") not in world.engine.there:
                await asyncio.sleep(0.1)
            assert asyncio.get_running_loop().time() - began < 2
            world.stand.become(world.stand.app)


async def test_nothing_is_made_again_while_a_deployment_is_at_work_or_the_environment_goes(world: World) -> None:
    async with watched(world):
        number = world.stand.deploy(("start_services", "started", None))
        remove(world, "app")
        await asyncio.sleep(60)
        assert world.remaker.asked == []
        world.stand.enqueue("delete")
        world.stand.finish(number)
        await asyncio.sleep(60)
        assert world.remaker.asked == []


async def test_a_router_that_somebody_removed_is_made_again(world: World) -> None:
    async with watched(world):
        world.engine.tell(f"{INSTANCE}-router", "destroy")
        del world.engine.there[f"{INSTANCE}-router"]
        await asyncio.sleep(1)
        assert len(world.remaker.asked) == 1
        assert world.watch.degraded() == ()


async def test_what_happened_while_the_stream_was_broken_is_seen_after_it(world: World) -> None:
    async with watched(world):
        world.engine.reachable = False
        world.engine.break_off()
        await asyncio.sleep(3)
        world.engine.end(world.name("app"))   # nobody hears it
        world.engine.reachable = True
        await asyncio.sleep(10)
        assert world.starts == [world.name("app")]


async def test_a_router_that_was_started_anew_is_told_everything(world: World) -> None:
    async with watched(world):
        router = world.stand.router
        router.put_sets.clear()
        router.is_complete, router.started = False, 2
        world.engine.tell(f"{INSTANCE}-router", "start")
        await asyncio.sleep(1)
        assert world.addresses() == ["10.0.0.2"]
        assert router.is_complete


async def test_a_freeze_goes_on_after_a_restart_of_the_router_until_the_end_that_it_had(world: World) -> None:
    async with watched(world):
        router = world.stand.router
        world.stand.deploy(("start_services", "done", None), FROZEN)
        await asyncio.sleep(20)
        router.put_sets.clear()
        router.is_complete = False
        world.engine.tell(f"{INSTANCE}-router", "start")
        await asyncio.sleep(1)
        assert world.addresses() == ["10.0.0.2"]
        assert router.frozen[str(KEY)] == pytest.approx(40, abs=1)


async def test_a_switch_in_doubt_is_not_taken_back(world: World) -> None:
    async with watched(world):
        router = world.stand.router
        world.stand.deploy(("start_services", "done", None), ("switch", "in_doubt", None))
        before = len(router.put_sets)   # the router knows routes: those of the new version, maybe
        assert await world.reconciler.put_routes_back() == 1
        assert len(router.put_sets) == before


async def test_a_router_that_is_away_is_started_and_told(world: World) -> None:
    async with watched(world):
        router = world.stand.router
        router.away = True
        world.engine.end(f"{INSTANCE}-router")
        await asyncio.sleep(2)
        assert world.starts == [f"{INSTANCE}-router"]
        assert world.watch.degraded() == ("the router does not listen",)
        router.away = False
        await asyncio.sleep(2)
        assert world.watch.degraded() == ()


def test_pauses_grow_and_begin_anew() -> None:
    back_off = BackOff()
    now, pauses = 0.0, []
    for _ in range(9):
        pauses.append(back_off.wait_seconds("a", now))
        now += pauses[-1]
        back_off.started("a", now)
    assert pauses == [0, 1, 2, 4, 8, 16, 32, 60, 60]
    back_off.started("a", now + 1000)
    assert back_off.wait_seconds("a", now + 1000) == 1


async def test_an_application_follows_its_web_container_into_a_new_network(world: World) -> None:
    async with watched(world):
        app, web = world.name("app"), world.name("web")
        there = world.engine.there
        there[web] = replace(there[web], started_at=BASE)
        there[app] = replace(there[app], started_at=BASE + timedelta(seconds=1))
        world.engine.tell(web, "start")
        await asyncio.sleep(1)
        assert world.starts == [], "the application was started last: all is well"
        there[web] = replace(there[web], started_at=BASE + timedelta(seconds=2))
        world.engine.tell(web, "start")
        await asyncio.sleep(30)
        assert world.starts == [app]


async def test_a_container_that_docker_started_without_its_slug_is_started_again(world: World) -> None:
    async with watched(world):
        app = world.name("app")
        world.engine.unmount(app)
        world.engine.tell(app, "start")
        await asyncio.sleep(1)
        assert world.starts == [app]


async def test_a_container_that_cannot_be_started_keeps_nobody_else_down(world: World) -> None:
    async with watched(world):
        world.engine.unstartable.add(world.name("app"))
        world.engine.end(world.name("app"))
        world.engine.end(world.name("web"))
        await asyncio.sleep(3)
        assert world.starts == [world.name("web")]
        assert "cannot be started" in world.watch.degraded()[0]
        world.engine.unstartable.clear()
        await asyncio.sleep(10)
        assert world.starts == [world.name("web"), world.name("app")]


async def test_an_event_that_comes_before_docker_says_so_in_its_lists_is_not_lost(world: World) -> None:
    async with watched(world):
        app = world.name("app")
        world.engine.tell(app, "die")
        await asyncio.sleep(1)
        world.engine.there[app] = replace(world.engine.there[app], running=False, exit_status=0)   # no event any more
        await asyncio.sleep(2)
        assert world.starts == [app]
