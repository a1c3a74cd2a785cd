"""Those who are in environments: told what begins there, and ended when nobody comes back for them."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from types import SimpleNamespace
from typing import Any, cast

import pytest

from deployd.access.directory import Directory
from deployd.activity.error_boundary import ErrorBoundary
from deployd.commands.audit import AuditCommands
from deployd.deployment.kinds import KINDS
from deployd.engine.specs import RunAs
from deployd.ids import ActivityId, CommitId, EnvironmentId, EnvironmentName, ProjectId
from deployd.inside.leftovers import Leftovers
from deployd.inside.news import News
from deployd.inside.notes import over
from deployd.inside.open_stays import OpenStays
from deployd.inside.sessions import Sessions
from deployd.state import activities, audit, environments, stays
from deployd.state.activities import NewActivity, Trigger
from deployd.state.stays import Stay
from tests.doubles.engine import EngineDouble
from tests.doubles.programs import Program
from tests.doubles.store import MemoryStore

NOW = datetime(2026, 5, 4, 10, 0, tzinfo=UTC)
MAIN = EnvironmentId(ProjectId("shop"), EnvironmentName("main-bvxea6i"))
STAY = Stay(
    id="none", environment=MAIN, part="app", activity=ActivityId(1), kind="command", who="ada", by="laptop",
    address="192.0.2.7", connection="c0ffee", said="sleep 9", began=NOW,
)
SLEEP = ("sleep", "9")


class World:
    def __init__(self) -> None:
        self.store = MemoryStore()
        self.engine = EngineDouble()
        self.engine.programs[SLEEP] = Program(seconds=None)
        self.engine.add("shop-app")
        self.open = OpenStays()
        clock: Any = SimpleNamespace(now=lambda: NOW)
        host: Any = SimpleNamespace(engine=self.engine, clock=clock)
        store = cast(Any, self.store)
        unused = cast(Any, None)
        self.sessions = Sessions(
            store=store, host=host, directory=Directory((), clock.now), targets=unused,
            audit=AuditCommands(store, clock), beginning=unused, open=self.open,
            handed_over=self.open.handed_over,
        )
        self.boundary = ErrorBoundary("inside")

    async def come(self, **values: Any) -> Stay:
        running = await self.engine.start_command("shop-app", SLEEP, RunAs("4242"))
        assert running.streams is not None
        running.streams.close()   # whoever had them has gone
        stay = replace(STAY, id=running.id, **values)
        await self.store.write(lambda db: stays.add(db, stay))
        return stay

    async def begin(self) -> ActivityId:
        """A push that is at work."""
        new = NewActivity(KINDS["push"], MAIN, "main", CommitId("0" * 40), Trigger("bob", "git"))

        def write(db: Any) -> ActivityId:
            environments.ensure(db, MAIN, "main", NOW)
            number = activities.enqueue(db, new, NOW)
            activities.begin(db, number, NOW)
            return number

        number: ActivityId = await self.store.write(write)
        return number

    async def there(self) -> Sequence[Stay]:
        return await self.store.read(stays.list_all)

    async def deeds(self) -> list[str]:
        entries = await self.store.read(lambda db: audit.newest(db))
        return [f"{entry.deed.who} {entry.deed.action}: {entry.deed.said}" for entry in entries]


@pytest.fixture
async def world() -> AsyncIterator[World]:
    made = World()
    yield made
    for command in made.engine.commands:
        await command.end()


async def test_what_nobody_comes_back_for_is_ended_and_noted_once(world: World) -> None:
    stay = await world.come()
    leftovers = Leftovers(world.sessions, world.boundary)
    await leftovers.look()
    assert [item.id for item in await world.there()] == [stay.id], "one may just begin"
    await leftovers.look()
    assert await world.there() == []
    assert world.engine.commands[0].has_been_ended
    await leftovers.look()
    assert await world.deeds() == [
        "ada command over: was left after 0 s; nobody came back for it; app, connection c0ffee: sleep 9",
    ]


async def test_who_is_attended_to_stays(world: World) -> None:
    stay = await world.come()
    world.open.add(stay, said_to([]))
    leftovers = Leftovers(world.sessions, world.boundary)
    for _ in range(3):
        await leftovers.look()
    assert [item.id for item in await world.there()] == [stay.id]
    assert not world.engine.commands[0].has_been_ended


async def test_one_that_came_back_in_between_is_new_again(world: World) -> None:
    stay = await world.come()
    leftovers = Leftovers(world.sessions, world.boundary)
    await leftovers.look()
    world.open.add(stay, said_to([]))
    await leftovers.look()
    world.open.remove(stay.id)
    await leftovers.look()
    assert [item.id for item in await world.there()] == [stay.id]


async def test_one_that_cannot_be_ended_does_not_keep_the_others(world: World) -> None:
    first, second = await world.come(), await world.come(who="bob")

    async def find(number: str) -> Any:
        if number == first.id:
            raise RuntimeError("poison")
        return await EngineDouble.find_command(world.engine, number)

    world.engine.find_command = find   # type: ignore[method-assign]
    leftovers = Leftovers(world.sessions, world.boundary)
    await leftovers.look()
    await leftovers.look()
    assert [item.id for item in await world.there()] == [first.id]
    assert second.id not in [item.id for item in await world.there()]
    assert any("ending a command of ada in shop/main-bvxea6i" in told for told in world.boundary.troubles())


async def test_one_that_cannot_be_told_does_not_keep_the_others(world: World) -> None:
    heard: list[str] = []

    async def breaks(_: str) -> None:
        raise RuntimeError("poison")

    world.open.add(STAY, breaks)
    world.open.add(replace(STAY, id="other"), said_to(heard))
    await world.begin()
    await News(cast(Any, world.store), world.open, world.boundary).look()
    assert len(heard) == 1
    assert world.boundary.failures == 1


async def test_a_tunnel_that_is_left_over_has_no_command(world: World) -> None:
    stay = replace(STAY, kind="tunnel", said="to database.internal:3306")
    await world.store.write(lambda db: stays.add(db, stay))
    leftovers = Leftovers(world.sessions, world.boundary)
    await leftovers.look()
    await leftovers.look()
    assert await world.there() == []


def said_to(heard: list[str]) -> Any:
    async def tell(line: str) -> None:
        heard.append(line)

    return tell


async def test_whoever_is_there_is_told_once_what_begins_and_neighbours_are_not(world: World) -> None:
    mine: list[str] = []
    beside: list[str] = []
    other = EnvironmentId(ProjectId("blog"), MAIN.name)
    world.open.add(STAY, said_to(mine))
    world.open.add(replace(STAY, id="other", environment=other), said_to(beside))
    news = News(cast(Any, world.store), world.open, world.boundary)
    await news.look()
    assert mine == []
    number = await world.begin()
    for _ in range(2):
        await news.look()
    assert mine == [
        f"push {number} of main, asked for by bob, is at work; when it replaces this container, this session ends",
    ]
    assert beside == []


async def test_nobody_looks_while_nobody_is_there(world: World) -> None:
    news = News(cast(Any, world.store), world.open, world.boundary)
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0.05):
            await news.serve()
    world.open.add(STAY, said_to([]))
    assert world.open.came.is_set()
    world.open.remove(STAY.id)
    assert not world.open.came.is_set()


@pytest.mark.parametrize(("status", "did", "said"), [
    (0, "", "ended with 0 after 0 s; app, connection"), (None, "", "was left after 0 s; app, connection"),
    (1, "2 written: /app/x", "ended with 1 after 0 s; 2 written: /app/x; app, connection"),
])
def test_the_audit_log_says_how_it_ended(status: int | None, did: str, said: str) -> None:
    doing = over(STAY, status, did, NOW)
    assert doing.said.startswith(said)
    assert (doing.who, doing.by, doing.address, doing.action) == ("ada", "ssh, key laptop", "192.0.2.7", "command over")
    assert doing.names == {"project": "shop", "environment": "main-bvxea6i"}


