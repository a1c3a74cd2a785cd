"""What parts of environments use, and what the kernel killed in them."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from deployd.engine.container_cache import OLDEST_SECONDS, ContainerCache
from deployd.engine.names import Names
from deployd.engine.observed import EventSeen, GroupFigures
from deployd.ids import ActivityId, EnvironmentId, EnvironmentName, ProjectId
from deployd.upkeep.usage.parts import MOST_PARTS, OTHERS, Part, Use, bounded
from deployd.upkeep.usage.usage import MOST_AT_ONCE, SETTLE_SECONDS, Usage
from tests.doubles.engine import EngineDouble

pytestmark = pytest.mark.looptime
BASE = datetime(2026, 5, 4, 10, tzinfo=UTC)
NAMES = Names("test", EnvironmentId(ProjectId("shop"), EnvironmentName("main-bvxea6p")))
MAILER = Part("shop", "main-bvxea6p", "worker", "shop--mailer")


class LoopClock:
    def now(self) -> datetime:
        return BASE + timedelta(seconds=asyncio.get_running_loop().time())


class Engine(EngineDouble):
    """The engine, and the kernel."""

    def run(
        self, name: str, role: str = "worker", part: str = "shop--mailer", *, restarts: int = 0, kills: int = 0,
        **used: Any,
    ) -> None:
        self.add(name, NAMES.labels(role, part, ActivityId(7)), restarts=restarts)
        values = {"cpu_seconds": 2.0, "memory_bytes": 100, "memory_limit_bytes": 512 << 20, **used}
        self.groups[name] = GroupFigures(kills=kills, **values)


@dataclass
class DisksDouble:
    known: dict[Part, int] = field(default_factory=dict)


class World:
    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.engine = Engine()
        self.disks = DisksDouble()
        self.start()

    def start(self) -> None:
        """A daemon."""
        self.cache = ContainerCache(self.engine, "test")
        self.usage = Usage(
            self.engine, self.cache, self.disks, LoopClock(), self.folder / "kills.json",  # type: ignore[arg-type]
        )

    def tell(self, name: str, action: str) -> None:
        event = EventSeen("container", action, name, name, self.engine.there[name].labels)
        self.cache.hear(event)
        self.usage.hear(event)

    async def look(self, seconds: float = 60.0) -> None:
        await asyncio.sleep(seconds)
        await self.usage.look()


@pytest.fixture
def world(tmp_path: Path) -> World:
    return World(tmp_path)


async def test_a_child_process_that_was_killed_is_told_for_an_hour(world: World) -> None:
    world.engine.run("a")
    await world.look(0)
    assert world.usage.troubles() == []
    world.engine.run("a", kills=1)
    await world.look()
    sentence = ("the kernel killed a process of the worker shop--mailer at 10:01 UTC because its memory of 512 MB was "
                "full: have it use less, or give it a larger `size`")
    assert world.usage.troubles() == [f"shop/main-bvxea6p: {sentence}"]
    assert world.usage.killed(EnvironmentId.read("shop/main-bvxea6p")) == [sentence]
    assert world.usage.killed(EnvironmentId.read("shop/other")) == []
    await world.look(3500)
    assert world.usage.troubles()
    world.engine.run("a", kills=3)
    await world.look()
    assert "killed processes, 3 until now, of the worker" in world.usage.troubles()[0]
    await world.look(3700)
    assert world.usage.troubles() == []
    assert [(use.kills, use.killed_at) for use in await world.usage.uses()] == [(3, BASE + timedelta(seconds=3620))]


async def test_a_killed_main_process_whose_group_went_with_it_is_known_from_docker(world: World) -> None:
    world.engine.run("a")
    await world.look(0)
    world.tell("a", "oom")
    world.engine.run("a", restarts=1)   # its group counts from 0
    world.tell("a", "start")
    await world.look(1)
    assert "killed a process of the worker shop--mailer" in world.usage.troubles()[0]
    assert [(use.kills, use.restarts) for use in await world.usage.uses()] == [(1, 1)]
    world.engine.run("a", restarts=1, kills=1)
    world.tell("a", "oom")   # both tell of one: it is one
    await world.look(1)
    assert [use.kills for use in await world.usage.uses()] == [2]


async def test_what_was_killed_before_is_not_news_to_the_next_daemon(world: World) -> None:
    world.engine.run("a", kills=5)
    await world.look(0)
    assert world.usage.troubles() == [], "nobody knows when it was"
    assert [use.kills for use in await world.usage.uses()] == [5]
    world.start()
    await world.look()
    assert world.usage.troubles() == []
    world.engine.run("c", part="shop--killed", kills=1)
    world.tell("c", "start")
    await world.look()
    (told,) = world.usage.troubles()
    world.start()
    await world.look()
    assert world.usage.troubles() == [told], "at the time when it was"
    del world.engine.there["c"]
    world.start()
    world.engine.run("a", kills=6)   # while no daemon was there
    world.engine.run("b", part="shop--indexer", kills=1)
    await world.look()
    assert [text.split(" of the worker ")[1].split()[0] for text in world.usage.troubles()] == [
        "shop--indexer", "shop--mailer",
    ]


async def test_docker_is_asked_once_for_each_start_of_a_container(world: World) -> None:
    for name in ("a", "b"):
        world.engine.run(name)
    for _ in range(5):
        await world.look(1)
        await world.usage.uses()
    assert sorted(world.engine.asked) == ["a", "b", "list"]
    world.engine.run("a", restarts=4)
    world.tell("a", "start")
    await world.look(1)
    assert sorted(world.engine.asked) == ["a", "a", "b", "list", "list"]
    assert [use.restarts for use in await world.usage.uses()] == [4]
    await asyncio.sleep(OLDEST_SECONDS + 1)   # maybe nobody told of a change
    await world.usage.uses()
    assert world.engine.asked.count("list") == 3


async def test_a_thousand_containers_are_asked_for_a_few_at_a_time(world: World) -> None:
    for number in range(120):
        world.engine.run(f"c{number:03}")
    async with asyncio.TaskGroup() as group:
        serving = group.create_task(world.usage.serve())
        await asyncio.sleep(1)
        assert len(world.engine.asked) == 1 + MOST_AT_ONCE
        await asyncio.sleep(2 * SETTLE_SECONDS + 1)
        serving.cancel()
    assert len(set(world.engine.asked)) == 121


async def test_a_part_is_what_its_containers_use_together(world: World) -> None:
    world.engine.run("a", restarts=1)
    world.engine.run("b", cpu_seconds=3.0, memory_bytes=50)
    world.engine.add("c", NAMES.labels("service", "db"), running=False)
    world.engine.add("d", {"deployd": "test", "deployd.role": "build"})
    world.disks.known = {MAILER: 1_000, Part("shop", "main-bvxea6p", "shared", "shared"): 7}
    await world.look(0)
    assert await world.usage.uses() == [
        Use(Part("shop", "main-bvxea6p", "service", "db")),
        Use(Part("shop", "main-bvxea6p", "shared", "shared"), disk_bytes=7),
        Use(MAILER, 2, 5.0, 150, 1 << 30, 1, 0, None, 1_000),
    ]
    assert await world.usage.uses("shop", "other") == await world.usage.uses("blog") == []


async def test_monitors_cost_one_reading_a_second(world: World) -> None:
    world.engine.run("a")
    first = await world.usage.for_monitors()
    world.engine.run("a", memory_bytes=5)
    assert await world.usage.for_monitors() == first
    await asyncio.sleep(1.1)
    assert [use.memory_bytes for use in await world.usage.for_monitors()] == [5]


async def test_a_look_that_fails_ends_nothing(world: World) -> None:
    world.engine.reachable = False
    async with asyncio.TaskGroup() as group:
        serving = group.create_task(world.usage.serve())
        await asyncio.sleep(100)
        world.engine.reachable = True
        world.engine.run("a")
        await asyncio.sleep(100)
        world.engine.run("a", kills=1)
        world.tell("a", "oom")
        await asyncio.sleep(1)
        serving.cancel()
    assert "killed a process" in world.usage.troubles()[0]


def test_an_environment_with_hundreds_of_workers_has_no_more_labels_than_others() -> None:
    uses = [Use(Part("shop", "main", "worker", f"w{number:03}"), 1, 1.0, number, disk_bytes=1) for number in range(300)]
    uses.append(Use(Part("blog", "main", "app", "blog"), 1, 1.0, 5))
    found = bounded(uses)
    assert len(found) == 1 + MOST_PARTS + 1
    others = found[-1]
    assert (others.part.name, others.containers, others.disk_bytes) == (OTHERS, 250, 250)
    assert sum(use.memory_bytes for use in found) == sum(use.memory_bytes for use in uses)
