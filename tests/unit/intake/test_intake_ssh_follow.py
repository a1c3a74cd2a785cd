"""The log of a push over SSH is told to whoever may see it, as long as they may."""

from __future__ import annotations

import asyncio
import json
import os
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from deployd.access.caller import Caller, roles_of
from deployd.access.errors import Unauthorized
from deployd.ids import ProjectId
from deployd.intake.ssh_git import SshGit
from deployd.ssh.daemon_link import DaemonLink
from deployd.ssh.link import Values
from deployd.ssh.link_server import LinkServer, Question
from deployd.ssh.ports import Refused


class Following:
    """Lines that come for ever, one each time that somebody lets it."""

    def __init__(self) -> None:
        self.after = 0
        self.more = asyncio.Semaphore(1)

    async def take(self) -> list[str]:
        await self.more.acquire()
        self.after += 1
        return [f"line {self.after}"]

    def close(self) -> None:
        pass


@pytest.mark.parametrize("lost", ["the role", "the key"])
async def test_who_may_not_see_a_log_any_more_hears_no_further_line(tmp_path: Path, lost: str) -> None:
    following, shop = Following(), ProjectId("shop")
    callers = [Caller("ada", roles_of("viewer", ("shop",)))]

    async def project_of(_: object) -> ProjectId:
        return shop

    def caller_of(_: Question) -> Caller:
        if not callers:
            raise Unauthorized("your key was removed")
        return callers[0]

    async def welcome(_: Values) -> None:
        pass

    logs: Any = SimpleNamespace(project_of=project_of, follow=lambda *_: following, stopping=False)
    served = SshGit(SimpleNamespace(logs=logs), SimpleNamespace(), caller_of)   # type: ignore[arg-type]
    server = LinkServer()
    server.open(served.handlers(), {})
    client = DaemonLink(str(tmp_path / "link.sock"), welcome, goes_on=lambda: True)
    serving = asyncio.create_task(server.serve(tmp_path / "link.sock", os.getuid()))
    tasks = {serving, asyncio.create_task(client.serve())}
    assert await client.until_there(10)
    async with asyncio.timeout(10):
        talk = await client.ask("follow", activity=7)
        reader, writer = await asyncio.open_unix_connection(sock=talk.sockets[0])
        assert json.loads(await reader.readline())["lines"] == ["line 1"]
        callers[:] = [Caller("ada", roles_of("admin", ("other",)))] if lost == "the role" else []
        following.more.release()
        assert await reader.read() == b""
        writer.close()
        with pytest.raises(Refused, match="there is no activity 7"):
            await client.ask("follow", activity=7)
    for task in tasks:
        task.cancel()
    await asyncio.wait(tasks)
