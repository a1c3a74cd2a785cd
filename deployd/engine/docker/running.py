"""A command in a container with somebody at its streams: input as it comes, a terminal, signals, and an end of it all.

    open ──► begun ──► its process ended ──► its output ended ──► status
      └────► refused: the container is paused, or the command cannot be started

Docker answers before it begins the command, and says nothing of it afterwards: whether it has begun, and whether it has
ended, is asked until it has a number, and from then on the kernel is (`kernel_sessions.py`).
"""

from __future__ import annotations

import asyncio
import json
import os
from collections import deque
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from signal import Signals
from typing import NoReturn

import aiodocker

from deployd.engine.docker.connection import Connection
from deployd.engine.docker.edge import UNREACHABLE, ask, translated
from deployd.engine.docker.frames import FrameReader
from deployd.engine.docker.kernel_sessions import KernelSession, end_session, find_session, signal_group
from deployd.engine.errors import EngineRefused, StandsStill
from deployd.engine.specs import AS_ITSELF, RunAs, TerminalSize
from deployd.errors import DeployError

CHUNK_BYTES = 65_536
LOOK_SECONDS, LONGEST_LOOK_SECONDS = 0.01, 0.5
QUIET_SECONDS = 0.25
"""A command has ended, and for so long nothing more has come: what it left behind may keep its output open."""
BUFFER_BYTES = 262_144
WORDS_SECONDS, BEGIN_SECONDS = 2.0, 10.0
RUNTIME_SAID = b"OCI runtime exec failed"
"""How the engine's words begin that stand in the place of output when a command cannot be started."""


class Running(Connection):
    @asynccontextmanager
    async def open_command(
        self, name: str, argv: Sequence[str], run_as: RunAs = AS_ITSELF, *, terminal: TerminalSize | None = None,
    ) -> AsyncIterator[RunningExec]:
        what = f"run {argv[0]} in {name}"
        found = await ask(what, self.docker.containers.container(name).exec(
            list(argv), stdin=True, stdout=True, stderr=True, tty=terminal is not None, user=run_as.user or "",
            environment=dict(run_as.environment), workdir=run_as.working_folder,
        ))
        reader, writer = await ask(what, start_exec(self.path, self.api_version, found.id, tty=terminal is not None))
        running = RunningExec(what, found, reader, writer, terminal)
        try:
            async with asyncio.TaskGroup() as group:
                looking = group.create_task(running.look_after(), name=f"{what}: its end")
                try:
                    yield running
                finally:
                    looking.cancel()
                    writer.transport.abort()
                    await running.end()
        except ExceptionGroup as group_error:
            raise group_error.exceptions[0] from None


async def start_exec(
    socket: Path, api_version: str, number: str, *, tty: bool,
) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    """Start a command; both streams are the connection's from then on. The library cannot close one half of it.

    Raises:
        DockerError: Docker refused.
        OSError, IncompleteReadError: Nobody answers.
    """
    reader, writer = await asyncio.open_unix_connection(str(socket), limit=BUFFER_BYTES)
    try:
        body = json.dumps({"Detach": False, "Tty": tty})
        writer.write((
            f"POST /v{api_version}/exec/{number}/start HTTP/1.1\r\nHost: docker\r\nConnection: Upgrade\r\n"
            f"Upgrade: tcp\r\nContent-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n{body}"
        ).encode())
        head = await reader.readuntil(b"\r\n\r\n")
        status = int(head.split(None, 2)[1])
        if status >= 300:
            raise aiodocker.DockerError(status, (await reader.read(CHUNK_BYTES)).decode(errors="replace"))
    except BaseException:
        writer.transport.abort()
        raise
    return reader, writer


class RunningExec:
    """See `RunningCommand` of `engine.py`."""

    def __init__(
        self, what: str, found: aiodocker.execs.Exec, reader: asyncio.StreamReader, writer: asyncio.StreamWriter,
        terminal: TerminalSize | None,
    ) -> None:
        self._what = what
        self._exec = found
        self._reader = reader
        self._writer = writer
        self._size = terminal
        self._frames = None if terminal else FrameReader()
        self._ready: deque[tuple[str, bytes]] = deque()
        self._filling = asyncio.Lock()
        self._waits_since: float | None = None
        """Since when somebody waits for output that does not come: seconds of the loop."""
        self._has_read = False
        self._begun = asyncio.Event()
        """Or known never to."""
        self._refusal: DeployError | None = None
        self._session: KernelSession | None = None
        self._leader_has_ended = False

    async def wait_until_begun(self) -> None:
        await self._begun.wait()
        if self._refusal is not None:
            raise self._refusal

    async def read(self) -> tuple[str, bytes] | None:
        while not self._ready:
            if not await self._fill():
                return None
        if not self._has_read and self._ready[0][1].startswith(RUNTIME_SAID):
            await self.wait_until_begun()    # unless it is the command itself that says so
        self._has_read = True
        return self._ready.popleft()

    async def _fill(self) -> bool:
        """Have something ready, or know that nothing more comes (False)."""
        async with self._filling:
            while not self._ready:
                self._waits_since = asyncio.get_running_loop().time()
                try:
                    chunk = await self._reader.read(CHUNK_BYTES)
                except OSError as error:
                    raise translated(self._what, UNREACHABLE, str(error)) from None
                finally:
                    self._waits_since = None
                if not chunk:
                    return False
                self._ready += self._frames.feed(chunk) if self._frames is not None else [("stdout", chunk)]
        return True

    async def write(self, data: bytes) -> None:
        if not self._writer.is_closing():
            with suppress(OSError, RuntimeError):   # gone, or its input was ended
                self._writer.write(data)
                await self._writer.drain()

    def end_input(self) -> None:
        if not self._writer.is_closing():
            with suppress(OSError, RuntimeError):
                self._writer.write_eof()

    async def resize(self, size: TerminalSize) -> None:
        if self._size is None:
            return
        self._size = size
        if self._session is not None:
            with suppress(DeployError):     # it has ended
                await ask(self._what, self._exec.resize(h=size.rows, w=size.columns))

    async def send_signal(self, signal: str) -> None:
        number = Signals[f"SIG{signal.removeprefix('SIG')}"]
        await self._begun.wait()
        if self._session is not None and not self._leader_has_ended:
            await asyncio.to_thread(signal_group, self._session, number)

    async def wait(self) -> int:
        pause = LOOK_SECONDS
        while True:                         # the streams end a moment before Docker knows the status
            seen = await ask(self._what, self._exec.inspect())
            if not seen["Running"] and seen["ExitCode"] is not None:
                return int(seen["ExitCode"])
            await asyncio.sleep(pause)
            pause = min(pause * 2, LONGEST_LOOK_SECONDS)

    async def look_after(self) -> None:
        """Notice that it begins, and close its streams when it has ended and nothing more comes.

        Docker closes them by itself, but not while it holds input that nobody reads: it took up to a minute then.
        """
        try:
            leader = await self._wait_for_number()
        except DeployError as error:
            self._refusal = error
            leader = 0
        self._begun.set()
        if not leader:
            return
        if self._size is not None:
            await self.resize(self._size)
        await _wait_for_end(leader)
        self._leader_has_ended = True
        loop = asyncio.get_running_loop()
        while self._waits_since is None or loop.time() - self._waits_since < QUIET_SECONDS:   # noqa: ASYNC110  of time
            await asyncio.sleep(QUIET_SECONDS / 5)
        self._writer.transport.abort()

    async def _wait_for_number(self) -> int:
        """The number of its process on the host; 0: it ended already, or cannot be seen from here.

        Raises:
            StandsStill, EngineRefused: It never began.
        """
        pause = LOOK_SECONDS
        while True:
            seen = await ask(self._what, self._exec.inspect())
            number, has_ended = int(seen.get("Pid") or 0), not seen["Running"] and seen["ExitCode"] is not None
            if number:
                self._leader_has_ended = has_ended
                self._session = await self._find_session(number, str(seen["ContainerID"]))
                return number if self._session is not None and not has_ended else 0
            if has_ended:
                await self._refuse(int(seen["ExitCode"]))
            await asyncio.sleep(pause)
            pause = min(pause * 1.5, LONGEST_LOOK_SECONDS)

    async def _find_session(self, leader: int, container_id: str) -> KernelSession | None:
        found = await asyncio.to_thread(find_session, leader, leader, container_id)
        if found is None:                   # it has ended, and what it left behind may go on
            self._leader_has_ended = True
            with suppress(DeployError):
                seen = await ask(self._what, self._exec.docker.containers.container(container_id).show())
                found = await asyncio.to_thread(find_session, leader, int(seen["State"]["Pid"]), container_id)
        return found

    async def _refuse(self, status: int) -> NoReturn:
        """What never began has no number, and the engine's words in the place of its output."""
        with suppress(TimeoutError):
            async with asyncio.timeout(WORDS_SECONDS):
                await self._fill()
        text = b"".join(data for _, data in self._ready).decode(errors="replace").strip()
        kind = StandsStill if "paused container" in text else EngineRefused
        raise kind(f"cannot {self._what}: {text or f'it ended with status {status} before it began'}")

    async def end(self) -> None:
        """End whatever is left of it."""
        if not self._begun.is_set():        # it may begin in this moment, with nobody there any more
            with suppress(DeployError, TimeoutError):
                async with asyncio.timeout(BEGIN_SECONDS):
                    await self._wait_for_number()
        if self._session is not None:
            await asyncio.to_thread(end_session, self._session, leader_has_ended=self._leader_has_ended)


async def _wait_for_end(process: int) -> None:
    try:
        held = os.pidfd_open(process)
    except ProcessLookupError:
        return
    loop = asyncio.get_running_loop()
    ended: asyncio.Future[None] = loop.create_future()
    loop.add_reader(held, _tell, ended)
    try:
        await ended
    finally:
        loop.remove_reader(held)
        os.close(held)


def _tell(future: asyncio.Future[None]) -> None:
    if not future.done():
        future.set_result(None)
