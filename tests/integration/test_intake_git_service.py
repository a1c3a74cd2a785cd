"""git over anything but HTTP: a face as one over SSH would be, which hands two pipes to what serves git."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from deployd.access.tokens import caller_of
from deployd.ids import ProjectId
from deployd.intake.git_service import GitService
from deployd.intake.git_transfer import GitRefused, MayNotPush, NoSuchProject, Service, Transfer
from tests.support.intake_stand import TOKENS, Stand, open_stand, refs_of

ADA, CI, EVE = map(caller_of, TOKENS)
SHOP = ProjectId("shop")
CLIENT = """\
import os, socket, sys, threading
connection = socket.socket(socket.AF_UNIX)
connection.connect(sys.argv[1])
connection.sendall(sys.argv[2].encode() + b"\\n")
def send():
    while chunk := os.read(0, 65536):   # without a lock: git may have said its last while we wait here
        connection.sendall(chunk)
    connection.shutdown(socket.SHUT_WR)
threading.Thread(target=send, daemon=True).start()
while chunk := connection.recv(65536):
    sys.stdout.buffer.write(chunk)
    sys.stdout.buffer.flush()
"""
"""What `ssh` is to git: it names a program, and is a pipe to it."""


class StreamClient:
    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader, self._writer = reader, writer

    async def read(self) -> bytes:
        return await self._reader.read(65_536)

    async def write(self, chunk: bytes) -> bool:
        self._writer.write(chunk)
        await self._writer.drain()
        return True


@pytest.fixture
async def stand(tmp_path: Path) -> AsyncIterator[Stand]:
    async with open_stand(tmp_path, {"shop": {}}) as stand:
        yield stand


@asynccontextmanager
async def face(stand: Stand) -> AsyncIterator[str]:
    """Serves the shop to Ada on a Unix socket; gives the address as git takes it."""
    service = GitService(stand.intake)

    async def converse(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        kind = Service((await reader.readline()).decode().strip())
        transfer = Transfer(service.admit(ADA, SHOP, kind, None), ADA, kind)
        async with service.limited(transfer), service.queued(transfer):
            assert (await service.run(transfer, StreamClient(reader, writer))).there
        writer.close()

    path, program = stand.folder / "git.sock", stand.folder / "client.py"
    program.write_text(CLIENT)
    async with await asyncio.start_unix_server(converse, path):
        yield f"ext::{sys.executable} {program} {path} %S"


async def test_a_push_and_a_clone_go_over_two_pipes_in_one_conversation_each(stand: Stand) -> None:
    commit = await stand.commit({"a": "1"})
    stand.logs.say("deployed")
    stand.logs.end()
    async with face(stand) as address:
        pushed = await stand.developer("-c", "protocol.ext.allow=always", "push", address, "main")
        await stand.developer("-c", "protocol.ext.allow=always", "clone", "--quiet", address, "../clone")
    assert await refs_of(stand.mirror()) == {"refs/heads/main": commit}
    assert [(push.who, push.branch, push.new) for push in stand.queue.pushes] == [("ada", "main", commit)]
    assert b"remote: deployed" in pushed.stderr
    assert (stand.folder / "clone" / "a").read_text() == "1"


async def test_who_may_not_is_refused_with_a_text_for_its_user(stand: Stand) -> None:
    service = GitService(stand.intake)
    with pytest.raises(MayNotPush, match="the token eve is a viewer of shop and may not push"):
        service.admit(EVE, SHOP, Service.PUSH, None)
    with pytest.raises(NoSuchProject, match="there is no project blog for the token ci"):
        service.admit(CI, ProjectId("blog"), Service.FETCH, None)
    assert service.admit(EVE, SHOP, Service.FETCH, None).id == SHOP
    assert issubclass(MayNotPush, GitRefused)
