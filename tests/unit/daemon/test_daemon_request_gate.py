"""Requests while the daemon reads its settings again: they wait, go on, or end, and none is lost."""

from __future__ import annotations

import asyncio
import os
import socket
import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from deployd.daemon.request_gate import RequestGate
from deployd.http.outlasts_reload import OUTLASTS_RELOAD
from deployd.intake import receive_hook
from deployd.process import run


class Request(dict[Any, Any]):
    """What the gate looks at of one."""

    def __init__(self) -> None:
        super().__init__()
        self.cut = False
        self.transport = SimpleNamespace(abort=self._abort)

    def _abort(self) -> None:
        self.cut = True


async def answers(request: Any) -> Any:
    return "answered"


@pytest.mark.looptime
async def test_what_comes_meanwhile_waits_what_lasts_goes_on_and_what_is_slow_is_ended() -> None:
    gate, go = RequestGate(), asyncio.Event()
    lasting, gone, quick, slow, late = (Request() for _ in range(5))
    for one in (lasting, gone):
        one[OUTLASTS_RELOAD] = True

    async def wait(request: Any) -> Any:
        await (asyncio.sleep(1) if request is quick else go.wait())
        return "answered by the earlier one"

    gate.open(wait, lambda _: True)
    async with asyncio.TaskGroup() as group:
        tasks = [group.create_task(gate.handle(one)) for one in (lasting, gone, quick, slow)]  # type: ignore[arg-type]
        await asyncio.sleep(0)
        closing = group.create_task(gate.close(3))
        await asyncio.sleep(0)
        waiting = group.create_task(gate.handle(late))  # type: ignore[arg-type]
        await closing
        await asyncio.sleep(0.1)
        assert [task.done() for task in (*tasks, waiting)] == [False, False, True, True, False]
        assert (tasks[2].result(), tasks[3].cancelled()) == ("answered by the earlier one", True)
        gate.open(answers, lambda request: request is not gone)
        assert str(await waiting) == "answered"
        assert (lasting.cut, gone.cut) == (False, True)
        go.set()
    assert str(tasks[0].result()) == "answered by the earlier one"


async def test_a_push_that_is_cut_off_while_it_is_looked_at_asks_once_more(tmp_path: Path) -> None:
    asked = 0

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal asked
        asked += 1
        await reader.readuntil(b"\r\n\r\n")
        if asked > 1:
            writer.write(b"HTTP/1.0 200 OK\r\n\r\n>looked at\n=accepted\n")
            await writer.drain()
        writer.close()

    path = tmp_path / "api.sock"
    async with await asyncio.start_unix_server(answer, path=path):
        for hook, status, said in (("pre-receive", 0, "looked at"), ("post-receive", 1, "the deployment goes on")):
            asked = 0
            ended = await run(
                sys.executable, "-I", "-S", str(receive_hook.__file__), hook, str(path), stdin=b"a b refs/heads/main\n",
                env=dict(os.environ), check=False,
            )
            assert (ended.status, said in ended.text, asked) == (status, True, 2 if status == 0 else 1)
    with socket.socket(socket.AF_UNIX) as nobody:
        assert nobody.connect_ex(str(path)) != 0
