"""A tunnel on the side of `deployd-ssh`: it ends when the daemon says so, and is asked for again after a restart."""

from __future__ import annotations

import asyncio
import os
import socket
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from deployd.errors import DeployError
from deployd.ssh.daemon_link import DaemonLink
from deployd.ssh.environments import Environments
from deployd.ssh.link import Values
from deployd.ssh.link_server import LinkServer, Question
from deployd.ssh.ports import Target, Who
from deployd.ssh.sockets import socket_pair

WHO = Who(b"key", "192.0.2.7", "ada", "c0ffee")


class Stand:
    def __init__(self, folder: Path) -> None:
        self.path = folder / "link.sock"
        self.server = LinkServer()
        self.client = DaemonLink(str(self.path), self._welcome, goes_on=lambda: True)
        self.service: socket.socket | None = None
        self.resumed: list[str] = []
        self.lowered, self.renewed, self.left = asyncio.Event(), asyncio.Event(), asyncio.Event()
        self.server.open({"tunnel": self._tunnel, "resume": self._resume}, {})
        self._serving: asyncio.Task[None] | None = None

    async def _welcome(self, _: Values) -> None:
        pass

    def start(self) -> None:
        self._serving = asyncio.create_task(self.server.serve(self.path, os.getuid()))

    async def stop(self) -> None:
        assert self._serving is not None
        self._serving.cancel()
        await asyncio.wait({self._serving})

    async def open(self) -> socket.socket:
        opened = await Environments(self.client).tunnel(WHO, Target("main", "shop"), "database", 3306)
        opened.setblocking(False)
        return opened

    async def _tunnel(self, question: Question) -> Values:
        self.service, theirs = socket_pair()
        self.service.setblocking(False)
        await question.answer((theirs,), stay="a-tunnel")
        return await self._attend(question)

    async def _resume(self, question: Question) -> Values:
        self.resumed.append(question.text("stay"))
        await question.answer()
        return await self._attend(question)

    async def _attend(self, question: Question) -> Values:
        events = (self.lowered, self.renewed, question.left)
        waiting = [asyncio.create_task(event.wait()) for event in events]
        await asyncio.wait(waiting, return_when=asyncio.FIRST_COMPLETED)
        for task in waiting:
            task.cancel()
        if question.left.is_set():
            self.left.set()
            return {}
        if self.lowered.is_set():
            raise DeployError("ada is a viewer")
        self.renewed.clear()
        return {"again": True}


async def until_closed(one: socket.socket) -> None:
    async with asyncio.timeout(10):
        assert await asyncio.get_running_loop().sock_recv(one, 10) == b""


async def until_resumed(stand: Stand, times: int) -> None:
    async with asyncio.timeout(10):
        while len(stand.resumed) < times:
            await asyncio.sleep(0.01)


async def goes_through(opened: socket.socket, stand: Stand) -> None:
    assert stand.service is not None
    async with asyncio.timeout(10):
        await asyncio.get_running_loop().sock_sendall(opened, b"SELECT 1")
        assert await asyncio.get_running_loop().sock_recv(stand.service, 100) == b"SELECT 1"


@pytest.fixture
async def stand(tmp_path: Path) -> AsyncIterator[Stand]:
    made = Stand(tmp_path)
    made.start()
    linked = asyncio.create_task(made.client.serve())
    assert await made.client.until_there(10)
    yield made
    linked.cancel()
    await asyncio.wait({linked})
    await made.stop()
    if made.service is not None:
        made.service.close()


async def test_a_refusal_ends_the_connection_for_both(stand: Stand) -> None:
    opened = await stand.open()
    await goes_through(opened, stand)
    stand.lowered.set()
    await until_closed(opened)
    assert stand.service is not None
    await until_closed(stand.service)
    opened.close()


async def test_it_goes_on_over_reloads_and_restarts_and_is_asked_for_each_time(stand: Stand) -> None:
    opened = await stand.open()
    stand.renewed.set()
    await until_resumed(stand, 1)
    await goes_through(opened, stand)
    await stand.stop()
    await goes_through(opened, stand)
    stand.start()
    await until_resumed(stand, 2)
    assert stand.resumed == ["a-tunnel", "a-tunnel"]
    stand.lowered.set()
    await until_closed(opened)
    opened.close()


async def test_the_daemon_hears_of_its_end_and_the_service_too_however_early(stand: Stand) -> None:
    (await stand.open()).close()
    async with asyncio.timeout(10):
        await stand.left.wait()
    assert stand.service is not None
    await until_closed(stand.service)
