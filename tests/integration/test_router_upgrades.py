"""A new router takes over from the one that runs, and no visitor notices."""

from __future__ import annotations

import asyncio
import shutil
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from pathlib import PurePosixPath

import aiohttp
import pytest
from aiohttp import web

from deployd.process import run
from deployd.router_process.container import earlier_name, router_name
from deployd.router_process.earlier import end_earlier
from deployd.router_process.files import RouterNotConfigured
from deployd.router_process.upgrade import RouterNotUpgraded, ensure_router
from tests.support.router_stand import (
    Stand,
    ask,
    backend,
    docker,
    free_port,
    parse_answer,
    route,
    routes,
    wait_until_held,
)
from tests.support.router_upgrades import Upgrades, open_upgrades

SHOP, HOST = "shop/main", "shop.test"


@pytest.fixture
async def upgrades() -> AsyncIterator[Upgrades]:
    async with open_upgrades() as found:
        yield found


@dataclass
class Visitors:
    """Clients that ask again and again: on new connections, and on connections that they keep while they may."""

    stand: Stand
    answered: int = 0
    failed: list[str] = field(default_factory=list)
    connections: int = 0

    @asynccontextmanager
    async def at_work(self) -> AsyncIterator[None]:
        async with asyncio.TaskGroup() as group:
            kinds = (*[self._anew] * 4, *[self._kept] * 8, self._encrypted)
            tasks = [group.create_task(each()) for each in kinds]
            yield
            for task in tasks:
                task.cancel()

    async def _anew(self) -> None:
        while True:
            try:
                answer = await ask(self.stand, HOST)
                self._count(answer.status)
            except (OSError, ValueError, asyncio.IncompleteReadError) as error:
                self.failed.append(f"new connection: {error!r}")
            await asyncio.sleep(0.004)

    async def _encrypted(self) -> None:
        url = f"https://127.0.0.1:{self.stand.config.https_port}/"
        connector = aiohttp.TCPConnector(force_close=True)
        async with aiohttp.ClientSession(headers={"Host": HOST}, connector=connector) as asked:
            while True:
                try:
                    async with asked.get(url, ssl=False) as answer:
                        self._count(answer.status)
                except aiohttp.ClientError as error:
                    self.failed.append(f"encrypted: {error!r}")
                await asyncio.sleep(0.02)

    async def _kept(self) -> None:
        while True:
            self.connections += 1
            reader, writer = await asyncio.open_connection("127.0.0.1", self.stand.port)
            try:
                while await self._one(reader, writer):
                    await asyncio.sleep(0.01)
            except (OSError, ValueError, asyncio.IncompleteReadError) as error:
                self.failed.append(f"kept connection: {error!r}")
            finally:
                writer.close()

    async def _one(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> bool:
        """One request; whether the connection may be used again."""
        writer.write(f"GET / HTTP/1.1\r\nHost: {HOST}\r\n\r\n".encode())
        head = await reader.readuntil(b"\r\n\r\n")
        answer = parse_answer(head)
        await reader.readexactly(int(answer.headers["content-length"]))
        self._count(answer.status)
        return answer.headers.get("connection") != "close"

    def _count(self, status: int) -> None:
        self.answered += 1
        if status != 200:
            self.failed.append(str(status))


async def test_nobody_notices_that_a_new_router_takes_over(upgrades: Upgrades) -> None:
    visitors = Visitors(upgrades.stand)
    async with backend("shop") as shop:
        both = (route(HOST, shop.target), route(HOST, shop.target, scheme="https"))
        await upgrades.router.switch(routes(SHOP, "1", *both))
        async with visitors.at_work():
            for _ in range(3):
                await asyncio.sleep(0.5)
                await upgrades.upgrade()
                await asyncio.sleep(0.5)
                await upgrades.let_end()
                assert await upgrades.names() == {router_name(upgrades.wanted.instance)}
            await asyncio.sleep(0.5)
    assert not visitors.failed
    assert visitors.answered > 1000
    assert visitors.connections > 8   # they were told to come again


async def test_what_is_under_way_is_ended_by_the_earlier_router(upgrades: Upgrades) -> None:
    async def slowly(request: web.Request) -> web.StreamResponse:
        answer = web.StreamResponse()
        await answer.prepare(request)
        for number in range(50):
            await answer.write(f"{number}\n".encode())
            await asyncio.sleep(0.1)
        return answer

    async def upload() -> bytes:
        reader, writer = await asyncio.open_connection("127.0.0.1", upgrades.stand.port)
        writer.write(f"POST / HTTP/1.1\r\nHost: {HOST}\r\nConnection: close\r\nContent-Length: 50\r\n\r\n".encode())
        for _ in range(50):
            await asyncio.sleep(0.1)
            writer.write(b"x")
        answer = await reader.read()
        writer.close()
        return answer

    async with backend("shop", routes={"/slow": slowly}) as shop, asyncio.TaskGroup() as group:
        await upgrades.router.switch(routes(SHOP, "1", route(HOST, shop.target)))
        down, up = group.create_task(ask(upgrades.stand, HOST, "/slow")), group.create_task(upload())
        await asyncio.sleep(0.5)
        await upgrades.upgrade()
        assert earlier_name(upgrades.wanted.instance) in await upgrades.names()
        await upgrades.let_end()
        assert (await down).body.decode().count("\n") == 50
        assert b'"size": 50' in await up
    assert await upgrades.names() == {router_name(upgrades.wanted.instance)}


async def test_who_is_held_by_the_earlier_router_is_released_by_the_same_switch(upgrades: Upgrades) -> None:
    async with backend("old") as old, backend("new") as new, asyncio.TaskGroup() as group:
        await upgrades.router.switch(routes(SHOP, "1", route(HOST, old.target)))
        await upgrades.router.freeze(SHOP, 60)
        before = [group.create_task(ask(upgrades.stand, HOST)) for _ in range(20)]
        await wait_until_held(upgrades.router, SHOP, 20)
        await upgrades.upgrade()
        await asyncio.sleep(0.2)
        after = [group.create_task(ask(upgrades.stand, HOST)) for _ in range(20)]
        await wait_until_held(upgrades.router, SHOP, 40)
        ending = group.create_task(end_earlier(upgrades.engine, upgrades.router, upgrades.wanted))
        await asyncio.sleep(4)
        assert not any(task.done() for task in (*before, *after))
        released = await upgrades.router.switch(routes(SHOP, "2", route(HOST, new.target)))
        assert released.held == 40
        assert released.longest_seconds > 4
        assert {(await task).backend for task in (*before, *after)} == {"new"}
        await ending
        await upgrades.let_end()
    assert not old.seen


async def test_a_second_upgrade_cuts_nobody_off(upgrades: Upgrades) -> None:
    async def slowly(request: web.Request) -> web.StreamResponse:
        answer = web.StreamResponse()
        await answer.prepare(request)
        for _ in range(40):
            await answer.write(b"x")
            await asyncio.sleep(0.1)
        return answer

    async with backend("shop", routes={"/slow": slowly}) as shop, asyncio.TaskGroup() as group:
        await upgrades.router.switch(routes(SHOP, "1", route(HOST, shop.target)))
        before = [group.create_task(ask(upgrades.stand, HOST, "/slow")) for _ in range(10)]
        await asyncio.sleep(0.5)
        assert await upgrades.upgrade()
        between = [group.create_task(ask(upgrades.stand, HOST, "/slow")) for _ in range(10)]
        assert not await upgrades.upgrade()
        await upgrades.let_end()
        assert await ensure_router(upgrades.engine, upgrades.router, upgrades.wanted)
        await upgrades.let_end()
        assert {(await task).body.count(b"x") for task in (*before, *between)} == {40}


async def test_a_freeze_that_was_taken_over_ends_when_it_would_have(upgrades: Upgrades) -> None:
    async with backend("shop") as shop, asyncio.TaskGroup() as group:
        await upgrades.router.switch(routes(SHOP, "1", route(HOST, shop.target)))
        await upgrades.router.freeze(SHOP, 4)
        await upgrades.upgrade()
        waiting = group.create_task(ask(upgrades.stand, HOST))
        freeze = await upgrades.router.freeze(SHOP, 60)
        assert freeze.again
        assert freeze.seconds_left < 4
        assert (await waiting).status == 503
        assert (await upgrades.router.thaw(SHOP)).expired == 1
        assert (await ask(upgrades.stand, HOST)).status == 200


async def test_the_new_router_knows_everything_before_it_has_a_visitor(upgrades: Upgrades) -> None:
    async with backend("shop") as shop:
        for number in range(300):
            await upgrades.router.switch(routes(f"shop/{number}", "1", route(f"{number}.test", shop.target)))
        await upgrades.upgrade()
        docker("kill", earlier_name(upgrades.wanted.instance))
        status = await upgrades.router.status()
        assert status.complete
        assert len(status.environments) == 300
        for number in (0, 150, 299):
            assert (await ask(upgrades.stand, f"{number}.test")).status == 200
        assert (await ask(upgrades.stand, "nobody.test")).status == 404
        assert not list(upgrades.stand.places.control.glob("*.json"))


async def test_a_router_that_does_not_start_leaves_the_one_before_at_work(upgrades: Upgrades) -> None:
    visitors, good = Visitors(upgrades.stand), upgrades.wanted.config
    async with backend("shop") as shop:
        both = (route(HOST, shop.target), route(HOST, shop.target, scheme="https"))
        await upgrades.router.switch(routes(SHOP, "1", *both))
        async with visitors.at_work():
            nowhere = PurePosixPath("/not/there.pem")
            bad = replace(good, certificate=nowhere)
            upgrades.wanted = replace(upgrades.wanted, config=bad)
            with pytest.raises(RouterNotUpgraded) as caught:
                await upgrades.upgrade()
            assert any("/not/there.pem" in line for line in caught.value.evidence)
            await upgrades.router.switch(routes(SHOP, "2", *both))
            assert await upgrades.names() == {router_name(upgrades.wanted.instance)}
            upgrades.wanted = replace(upgrades.wanted, config=good)
            await upgrades.upgrade()
            await upgrades.let_end()
    assert not visitors.failed


async def test_a_router_that_took_over_is_reloaded_and_taken_over_from_like_any_other(upgrades: Upgrades) -> None:
    visitors = Visitors(upgrades.stand)
    async with backend("shop") as shop:
        await upgrades.router.switch(routes(SHOP, "1", route(HOST, shop.target)))
        await upgrades.upgrade()
        await upgrades.let_end()
        settings = replace(upgrades.wanted.config, workers=1, https_port=free_port())
        upgrades.wanted = replace(upgrades.wanted, config=settings)
        await ensure_router(upgrades.engine, upgrades.router, upgrades.wanted)
        upgrades.stand.config = settings
        await asyncio.sleep(1)
        both = (route(HOST, shop.target), route(HOST, shop.target, scheme="https"))
        await upgrades.router.switch(routes(SHOP, "2", *both))
        async with visitors.at_work():
            await asyncio.sleep(0.5)
            await upgrades.upgrade()
            await upgrades.let_end()
    assert not visitors.failed


async def test_a_port_that_is_taken_leaves_the_configuration_before_in_use(upgrades: Upgrades) -> None:
    visitors = Visitors(upgrades.stand)
    async with backend("shop") as shop:
        both = (route(HOST, shop.target), route(HOST, shop.target, scheme="https"))
        await upgrades.router.switch(routes(SHOP, "1", *both))
        async with visitors.at_work():
            taken = replace(upgrades.wanted, config=replace(upgrades.wanted.config, http_port=shop.port))
            with pytest.raises(RouterNotConfigured, match="cannot begin with") as caught:
                await ensure_router(upgrades.engine, upgrades.router, taken)
            assert any("Address already in use" in line for line in caught.value.evidence)
            await ensure_router(upgrades.engine, upgrades.router, upgrades.wanted)
    assert not visitors.failed


async def test_a_killed_router_starts_on_sockets_of_its_own(upgrades: Upgrades) -> None:
    await upgrades.upgrade()
    await upgrades.let_end()
    docker("kill", "--signal", "KILL", router_name(upgrades.wanted.instance))
    docker("start", router_name(upgrades.wanted.instance))
    await ensure_router(upgrades.engine, upgrades.router, upgrades.wanted)
    await upgrades.router.complete()
    assert (await ask(upgrades.stand, "nobody.test")).status == 404




@pytest.mark.parametrize("folder_is_there", [False, True])
async def test_after_a_reboot_that_emptied_the_run_folder_the_router_comes_back(
    upgrades: Upgrades, *, folder_is_there: bool,
) -> None:
    name = router_name(upgrades.wanted.instance)
    await upgrades.upgrade()   # the power goes in the midst of an upgrade
    for container in (name, earlier_name(upgrades.wanted.instance)):
        docker("kill", container)
    shutil.rmtree(upgrades.stand.places.folder)
    if folder_is_there:
        upgrades.stand.places.folder.mkdir()   # both are started again and again, and find nothing
    for container in (name, earlier_name(upgrades.wanted.instance)):
        docker("start", container, check=False)   # as Docker does when the host boots, before the daemon is there
    await asyncio.sleep(0.5)
    assert await ensure_router(upgrades.engine, upgrades.router, upgrades.wanted)
    await upgrades.router.complete()
    assert (await ask(upgrades.stand, "nobody.test")).status == 404
    await upgrades.let_end()
    assert await upgrades.names() == {name}
    await upgrades.router.complete()
    await upgrades.upgrade()
    assert (await ask(upgrades.stand, "nobody.test")).status == 404


async def test_other_users_cannot_ask_for_the_sockets(upgrades: Upgrades) -> None:
    ran = await run("docker", "exec", "--user", "www-data", router_name(upgrades.wanted.instance), "ls",
                    str(upgrades.stand.places.control), check=False)
    assert ran.status != 0
