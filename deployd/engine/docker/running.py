"""A command in a container whose streams somebody else reads and writes: seen to begin and to end, signalled, ended.

    start ──► begun ──► its own process is over ──► its streams are closed ──► status
      └─────► refused: the container is paused, or the command cannot be started

Docker answers before it begins the command, and says nothing of it afterwards: whether it has begun is asked until it
has a number, and from then on the kernel is (`kernel_sessions.py`).
"""

from __future__ import annotations

import asyncio
import os
import socket
from collections import OrderedDict
from collections.abc import Iterator, Sequence
from contextlib import suppress
from itertools import repeat
from pathlib import Path
from signal import Signals

import aiodocker

from deployd.engine.docker.connection import SOCKET, Connection
from deployd.engine.docker.edge import ask
from deployd.engine.docker.hijack import start_exec
from deployd.engine.docker.kernel_sessions import KernelSession, end_session, find_session, signal_group
from deployd.engine.errors import EngineRefused, NotThere, StandsStill
from deployd.engine.specs import AS_ITSELF, RunAs, TerminalSize
from deployd.errors import DeployError
from deployd.frames import FrameReader

LOOK_SECONDS, LONGEST_LOOK_SECONDS = 0.005, 0.5
OFTEN = 50
"""So many looks at first: mostly it begins, or its end is known, within a tenth of a second."""
SOONEST_SECONDS = 0.025
"""No command begins sooner: looking for it would only be in its way."""
WORDS_SECONDS, WORDS_BYTES = 2.0, 65_536
BEGIN_SECONDS = 5.0
MOST_KNOWN = 500


class Members(OrderedDict[str, Path]):
    """{container's id: the kernel's file with its processes}, of the last few hundred."""

    def __setitem__(self, container_id: str, path: Path) -> None:
        super().__setitem__(container_id, path)
        while len(self) > MOST_KNOWN:
            self.popitem(last=False)


class Running(Connection):
    def __init__(self, path: Path | str = SOCKET) -> None:
        super().__init__(path)
        self._members = Members()

    async def start_command(
        self, name: str, argv: Sequence[str], run_as: RunAs = AS_ITSELF, *, terminal: TerminalSize | None = None,
    ) -> RunningExec:
        what = f"run {argv[0]} in {name}"
        found = await ask(what, self.docker.containers.container(name).exec(
            list(argv), stdin=True, stdout=True, stderr=True, tty=terminal is not None, user=run_as.user or "",
            environment=dict(run_as.environment), workdir=run_as.working_folder,
        ))
        streams = await ask(what, start_exec(self.path, self.api_version, found.id, tty=terminal is not None))
        running = RunningExec(what, found, streams, self._members)
        try:
            await asyncio.sleep(SOONEST_SECONDS)
            await running.wait_until_begun(on_terminal=terminal is not None)
            if terminal is not None:
                await running.resize(terminal)
        except (StandsStill, EngineRefused):
            streams.close()
            raise
        except BaseException:
            streams.close()
            await running.abandon(on_terminal=terminal is not None)
            raise
        return running

    async def find_command(self, number: str) -> RunningExec | None:
        what = "find a command again"
        found = RunningExec(what, aiodocker.execs.Exec(self.docker, number, None), None, self._members)
        try:
            await found.wait_until_begun(on_terminal=False)
        except (NotThere, StandsStill, EngineRefused):
            return None
        return found


class RunningExec:
    """See `RunningCommand` of `engine.py`."""

    def __init__(
        self, what: str, found: aiodocker.execs.Exec, streams: socket.socket | None, members: Members,
    ) -> None:
        self._what = what
        self._members = members
        self._exec = found
        self._session: KernelSession | None = None
        self._leader: int | None = None
        """A descriptor of its own process; None: that has ended, or cannot be seen."""
        self._is_over = False
        self.streams = streams

    @property
    def id(self) -> str:
        return str(self._exec.id)

    async def wait_until_begun(self, *, on_terminal: bool) -> None:
        """
        Raises:
            StandsStill, EngineRefused: It never began.
            NotThere: Docker has forgotten it.
        """
        for pause in _pauses():
            seen = await ask(self._what, self._exec.inspect())
            number, has_ended = int(seen.get("Pid") or 0), not seen["Running"] and seen["ExitCode"] is not None
            if number:
                self._is_over = has_ended
                await self._hold(number, str(seen["ContainerID"]))
                return
            if has_ended:      # what began has a number for ever
                raise await self._refusal(int(seen["ExitCode"]), on_terminal)
            await asyncio.sleep(pause)

    async def resize(self, size: TerminalSize) -> None:
        if not self._is_over:
            with suppress(DeployError):     # it has ended, or has no terminal
                await ask(self._what, self._exec.resize(h=size.rows, w=size.columns))

    async def send_signal(self, signal: str) -> None:
        if self._session is not None and not self._is_over:
            await asyncio.to_thread(signal_group, self._session, Signals[signal])

    async def wait_until_over(self) -> None:
        if self._leader is None:
            await self.wait()
            return
        loop, over = asyncio.get_running_loop(), asyncio.Event()
        loop.add_reader(self._leader, over.set)
        try:
            await over.wait()
        finally:
            loop.remove_reader(self._leader)
        self._is_over = True

    async def wait(self) -> int:
        for pause in _pauses():
            seen = await ask(self._what, self._exec.inspect())
            if not seen["Running"] and seen["ExitCode"] is not None:
                self._is_over = True
                return int(seen["ExitCode"])
            await asyncio.sleep(pause)
        raise AssertionError

    async def end(self) -> None:
        if self._session is not None:
            await asyncio.to_thread(end_session, self._session, leader_has_ended=self._is_over)
        self.let_go()

    def let_go(self) -> None:
        if self._leader is not None:
            os.close(self._leader)
            self._leader = None

    async def abandon(self, *, on_terminal: bool) -> None:
        """End it although it may not have begun: it may in this moment, with nobody there any more."""
        with suppress(DeployError, TimeoutError):
            async with asyncio.timeout(BEGIN_SECONDS):
                if self._session is None:
                    await self.wait_until_begun(on_terminal=on_terminal)
        await self.end()

    async def _hold(self, number: int, container_id: str) -> None:
        """Know its processes, and hear of its end. What it left behind may go on after it."""
        if not self._is_over:
            try:
                self._leader = os.pidfd_open(number)
            except OSError:
                self._is_over = True
        self._session = find_session(number, number, container_id)     # files of the kernel's, that wait for nobody
        if self._session is not None:
            self._members[container_id] = self._session.members
            return
        self._is_over = True
        if self._leader is not None:        # somebody else's: its container is none of ours
            os.close(self._leader)
            self._leader = None
        if container_id in self._members:
            self._session = KernelSession(number, self._members[container_id])
            return
        with suppress(DeployError):
            seen = await ask(self._what, self._exec.docker.containers.container(container_id).show())
            self._session = find_session(number, int(seen["State"]["Pid"]), container_id)
            if self._session is not None:
                self._members[container_id] = self._session.members

    async def _refusal(self, status: int, on_terminal: bool) -> DeployError:
        """The engine's words stand in the place of output."""
        said = b""
        with suppress(TimeoutError, OSError):
            async with asyncio.timeout(WORDS_SECONDS):
                while self.streams is not None and len(said) < WORDS_BYTES:
                    chunk = await asyncio.get_running_loop().sock_recv(self.streams, WORDS_BYTES)
                    if not chunk:
                        break
                    said += chunk
        text = said if on_terminal else b"".join(data for _, data in FrameReader().feed(said))
        words = text.decode(errors="replace").strip() or f"it ended with status {status} before it began"
        return (StandsStill if "paused container" in words else EngineRefused)(f"cannot {self._what}: {words}")


def _pauses() -> Iterator[float]:
    """Between two looks; without end."""
    yield from repeat(LOOK_SECONDS, OFTEN)
    pause = LOOK_SECONDS
    while True:
        pause = min(pause * 2, LONGEST_LOOK_SECONDS)
        yield pause
