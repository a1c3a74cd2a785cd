"""Commands in running containers: run to their end with both streams and standard input, or started and left alone.

The exchange goes over a connection of its own: the library cannot close standard input while it reads on, and a
dump that is being restored needs exactly that.
"""

from __future__ import annotations

import asyncio
import os
import signal
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

import aiodocker

from deployd.engine.docker.connection import Connection
from deployd.engine.docker.edge import ask
from deployd.engine.docker.hijack import start_request
from deployd.engine.errors import EngineOverran
from deployd.engine.observed import ExecResult
from deployd.engine.specs import AS_ITSELF, RunAs
from deployd.errors import DeployError
from deployd.frames import FrameReader

CHUNK_BYTES = 65_536
KEEP_BYTES = 16_000_000
QUIET_SECONDS = 0.25


class Execs(Connection):
    async def execute(
        self, name: str, argv: Sequence[str], run_as: RunAs = AS_ITSELF, *, stdin: bytes | None = None,
        limit_seconds: float = 60,
    ) -> ExecResult:
        what = f"run {argv[0]} in {name}"
        found = await self._create_exec(what, name, argv, run_as, with_stdin=stdin is not None)
        kept = {"stdout": bytearray(), "stderr": bytearray()}

        def keep(stream: str, data: bytes) -> None:
            kept[stream] += data
            if len(kept[stream]) > 2 * KEEP_BYTES:
                del kept[stream][:-KEEP_BYTES]

        ended = False
        try:
            await ask(what, _exchange(self.path, self.api_version, found, stdin, keep), limit_seconds)
            status = await ask(what, _status(found))
            ended = True
        except EngineOverran:
            raise EngineOverran(
                f"cannot {what}: it was still running after {limit_seconds:g} s and was ended",
                evidence=tuple(kept["stderr"].decode(errors="replace").splitlines()[-20:]),
            ) from None
        finally:
            if not ended:
                with suppress(DeployError):    # the error that brought us here is the one to tell
                    await ask(what, _kill(found))
        return ExecResult(status, bytes(kept["stdout"][-KEEP_BYTES:]), bytes(kept["stderr"][-KEEP_BYTES:]))

    async def start_detached(self, name: str, argv: Sequence[str], run_as: RunAs = AS_ITSELF) -> None:
        what = f"start {argv[0]} in {name}"
        found = await self._create_exec(what, name, argv, run_as, attached=False)
        await ask(what, found.start(detach=True))

    async def _create_exec(
        self, what: str, name: str, argv: Sequence[str], run_as: RunAs, *, with_stdin: bool = False,
        attached: bool = True,
    ) -> aiodocker.execs.Exec:
        return await ask(what, self.docker.containers.container(name).exec(
            list(argv), stdin=with_stdin, stdout=attached, stderr=attached, user=run_as.user or "",
            environment=dict(run_as.environment), workdir=run_as.working_folder,
        ))


async def _exchange(
    socket: Path, api_version: str, found: aiodocker.execs.Exec, stdin: bytes | None,
    keep: Callable[[str, bytes], None],
) -> None:
    reader, writer = await asyncio.open_unix_connection(str(socket))
    try:
        writer.write(start_request(api_version, found.id, tty=False))
        head = await reader.readuntil(b"\r\n\r\n")
        status = int(head.split(None, 2)[1])
        if status >= 300:
            raise aiodocker.DockerError(status, (await reader.read(CHUNK_BYTES)).decode(errors="replace"))
        async with asyncio.TaskGroup() as group:
            arrived = [0]
            writing = group.create_task(_write(writer, stdin), name="exec stdin")
            watching = group.create_task(_close_when_ended(found, writer, stdin, arrived), name="exec end")
            frames = FrameReader()
            while chunk := await reader.read(CHUNK_BYTES):
                arrived[0] += len(chunk)
                for stream, data in frames.feed(chunk):
                    keep(stream, data)
            writing.cancel()               # it may end without reading all of its input
            watching.cancel()
    except ExceptionGroup as group_error:
        raise group_error.exceptions[0] from None
    finally:
        writer.close()
        with suppress(OSError):
            await writer.wait_closed()


async def _write(writer: asyncio.StreamWriter, data: bytes | None) -> None:
    if data is None:
        return
    with suppress(OSError):                # the command is gone; its status tells
        writer.write(data)
        await writer.drain()
        writer.write_eof()


async def _close_when_ended(
    found: aiodocker.execs.Exec, writer: asyncio.StreamWriter, stdin: bytes | None, arrived: list[int],
) -> None:
    """Close the connection after the command has ended and no more output comes.

    Docker closes it by itself, but not while it holds input that nobody reads: it then took up to a minute (20.10), and
    called the command running for as long.
    """
    if stdin is None:
        return
    seen = await found.inspect()
    first = await found.docker.containers.container(seen["ContainerID"]).show()
    sees_processes = await asyncio.to_thread(_lives_in, int(first["State"]["Pid"]), str(seen["ContainerID"]))
    before = -1
    while True:
        seen = await found.inspect()
        if before == arrived[0] and await _has_ended(seen, sees_processes=sees_processes):
            break
        before = arrived[0]
        await asyncio.sleep(QUIET_SECONDS)
    writer.transport.abort()


async def _has_ended(seen: Mapping[str, Any], *, sees_processes: bool) -> bool:
    """Not so before it has begun: on a busy host Docker takes a while to start it, and then it neither runs nor has a
    status, or runs without a number."""
    if not seen["Running"]:
        return seen["ExitCode"] is not None
    return sees_processes and int(seen.get("Pid") or 0) > 1 and not await _process(seen)


async def _status(found: aiodocker.execs.Exec) -> int:
    while True:
        seen = await found.inspect()
        if not seen["Running"] and seen["ExitCode"] is not None:
            return int(seen["ExitCode"])
        await asyncio.sleep(0.01)          # the streams end a moment before Docker knows the status


async def _kill(found: aiodocker.execs.Exec) -> None:
    """End a command and what it started: Docker itself has no call for it.

    Its number is the host's, and is believed only when that process lives in the container.
    """
    with suppress(aiodocker.DockerError, ProcessLookupError, PermissionError):
        pid = await _process(await found.inspect())
        if pid:
            os.killpg(pid, signal.SIGKILL)


async def _process(seen: Mapping[str, Any]) -> int | None:
    """Number of a command's process on the host, if it lives and can be seen."""
    pid = int(seen.get("Pid") or 0)
    lives = seen["Running"] and pid > 1 and await asyncio.to_thread(_lives_in, pid, str(seen["ContainerID"]))
    return pid if lives else None


def _lives_in(pid: int, container_id: str) -> bool:
    try:
        return container_id in Path(f"/proc/{pid}/cgroup").read_text()
    except OSError:
        return False
