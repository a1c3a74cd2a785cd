"""Who may not be in an environment any more, and who attends to them when the settings are read again."""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncIterator, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest

from deployd.access.directory import Directory
from deployd.access.people import People, Person, PublicKey
from deployd.access.roles import Role
from deployd.commands.audit import AuditCommands
from deployd.engine.specs import RunAs
from deployd.ids import ActivityId, EnvironmentId, EnvironmentName, ProjectId
from deployd.inside import attend
from deployd.inside.open_stays import OpenStays
from deployd.inside.sessions import Sessions
from deployd.ssh.daemon_link import DaemonLink, Talk
from deployd.ssh.link import Values
from deployd.ssh.link_server import LinkServer
from deployd.ssh.ports import Refused
from deployd.state import audit, stays
from deployd.state.stays import Stay
from tests.doubles.engine import EngineDouble
from tests.doubles.programs import Program
from tests.doubles.store import MemoryStore

NOW = datetime(2026, 5, 4, 10, 0, tzinfo=UTC)
KEY = PublicKey(number=1, person="ada", label="laptop", blob=b"ada's key", since=NOW)
ADA = Person(id="ada", name="Ada", roles={"shop": Role.CONTRIBUTOR}, since=NOW)
SLEEP = ("sleep", "9")
STAY = Stay(
    id="a-tunnel", environment=EnvironmentId(ProjectId("shop"), EnvironmentName("main-bvxea6i")), part="app",
    activity=ActivityId(1), kind="tunnel", who="ada", by="laptop", address="192.0.2.7", connection="c0ffee",
    said="to database:3306", began=NOW,
)
VIEWER = replace(ADA, roles={"shop": Role.VIEWER})
LEFT = replace(ADA, left=NOW)
ELSEWHERE = replace(ADA, roles={"other": Role.ADMIN})


class World:
    """A daemon of which the people can be replaced, and that can read its settings again."""

    def __init__(self, folder: Path) -> None:
        self.path = folder / "link.sock"
        self.store, self.engine, self.open = MemoryStore(), EngineDouble(), OpenStays()
        self.engine.programs[SLEEP] = Program(seconds=None)
        self.engine.add("shop-app")
        self.server = LinkServer()
        self.client = DaemonLink(str(self.path), self._welcome, goes_on=lambda: True)
        self.directory = self.read_settings()

    async def _welcome(self, _: Values) -> None:
        pass

    def read_settings(self, person: Person = ADA) -> Directory:
        """As at the start, and as at a reload: everything is made anew."""
        clock: Any = SimpleNamespace(now=lambda: NOW)
        host: Any = SimpleNamespace(engine=self.engine, clock=clock, settings=SimpleNamespace(projects={}))
        self.open.hand_over()
        directory = Directory((), clock.now)
        directory.replace(People((person,), (), (KEY,)))
        store, unused = cast(Any, self.store), cast(Any, None)
        sessions = Sessions(
            store=store, host=host, directory=directory, targets=unused, audit=AuditCommands(store, clock),
            beginning=unused, open=self.open, handed_over=self.open.handed_over,
        )
        self.server.open(sessions.handlers(), {})
        return directory

    async def come_back(self, stay: Stay) -> Talk:
        return await self.client.ask("resume", key=KEY.blob.hex(), address="192.0.2.7", stay=stay.id)

    async def shell(self) -> Stay:
        running = await self.engine.start_command("shop-app", SLEEP, RunAs("4242"))
        assert running.streams is not None
        running.streams.close()
        stay = replace(STAY, id=running.id, kind="shell", said="")
        await self.store.write(lambda db: stays.add(db, stay))
        return stay

    async def there(self) -> Sequence[Stay]:
        return await self.store.read(stays.list_all)


@pytest.fixture
async def world(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[World]:
    monkeypatch.setattr(attend, "ALLOWED_SECONDS", 0.01)
    made = World(tmp_path)
    tasks = {asyncio.create_task(made.server.serve(made.path, os.getuid())), asyncio.create_task(made.client.serve())}
    assert await made.client.until_there(10)
    yield made
    for task in tasks:
        task.cancel()
    await asyncio.wait(tasks)
    for command in made.engine.commands:
        await command.end()


@pytest.mark.parametrize("person", [VIEWER, LEFT, ELSEWHERE])
async def test_a_tunnel_ends_with_the_right_to_it(world: World, person: Person) -> None:
    await world.store.write(lambda db: stays.add(db, STAY))
    talk = await world.come_back(STAY)
    assert [item.id for item in await world.there()] == ["a-tunnel"]
    world.directory.replace(People((person,), (), (KEY,)))
    with pytest.raises(Refused):
        await talk.note()
    assert await world.there() == []
    (entry,) = await world.store.read(lambda db: audit.newest(db))
    assert (entry.deed.who, entry.deed.action) == ("ada", "tunnel over")


async def test_a_tunnel_that_is_left_is_noted_and_is_no_session_any_more(world: World) -> None:
    await world.store.write(lambda db: stays.add(db, STAY))
    (await world.come_back(STAY)).leave()
    async with asyncio.timeout(10):
        while await world.there():
            await asyncio.sleep(0.01)
    with pytest.raises(Refused, match="this session is over"):
        await world.come_back(STAY)


async def test_nobody_goes_on_with_the_tunnel_of_another(world: World) -> None:
    await world.store.write(lambda db: stays.add(db, replace(STAY, who="bob")))
    with pytest.raises(Refused, match="this session is over"):
        await world.come_back(STAY)


@pytest.mark.parametrize("person", [VIEWER, LEFT])
async def test_roles_that_were_taken_after_the_settings_were_read_again_count_in_older_sessions(
    world: World, person: Person,
) -> None:
    stay = await world.shell()
    await world.store.write(lambda db: stays.add(db, STAY))
    shell, tunnel = await world.come_back(stay), await world.come_back(STAY)
    newer = world.read_settings()
    for talk in (shell, tunnel):
        assert await talk.note() is None
        assert talk.end == {"again": True}
    assert not world.engine.commands[0].has_been_ended
    assert len(await world.there()) == 2
    shell, tunnel = await world.come_back(stay), await world.come_back(STAY)
    newer.replace(People((person,), (), (KEY,)))
    said = await shell.note()
    assert said is not None
    assert said["status"] == 255
    with pytest.raises(Refused):
        await tunnel.note()
    assert await shell.note() is None
    assert world.engine.commands[0].has_been_ended
    assert await world.there() == []
