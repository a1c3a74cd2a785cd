"""A program that was started: its pipes, and its end. Whoever needs one asks `process.py`.

Surprise: asyncio does not start it. uvloop forks with a copy of all that our memory is mapped to, and stands still
until the other one has become the program: 4 ms, and 50 ms when the processor is busy, in which nobody is answered; a
deployment starts some thirty programs. Python's own `subprocess` copies nothing (vfork), and is back in 0.2 ms.
"""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
from collections.abc import Mapping
from contextlib import suppress
from functools import partial
from pathlib import Path
from typing import Any

import uvloop

REAP_SECONDS = 5.0
"""A killed process is gone within milliseconds, unless a disk or a network keeps it in the kernel."""


class _ClosedByLibuv:
    """A descriptor of a stream of uvloop. Of a file, libuv closes the descriptor and uvloop then the file: the second
    time it may be another thread's, who had just opened something."""

    def __init__(self, descriptor: int) -> None:
        self._descriptor = descriptor

    def fileno(self) -> int:
        return self._descriptor

    def close(self) -> None:
        """It is closed already."""


class Child:
    """A process that leads a group of its own. To be closed and waited for by whoever made it, whatever happens."""

    def __init__(
        self, argv: tuple[str, ...], *, cwd: Path | str | None, env: Mapping[str, str] | None, with_stdin: bool,
    ) -> None:
        """Start it.

        Raises:
            OSError: It cannot be.
        """
        self._loop = asyncio.get_running_loop()
        self._popen = subprocess.Popen(
            argv, cwd=cwd, env=env, bufsize=0, start_new_session=True,
            stdin=subprocess.PIPE if with_stdin else subprocess.DEVNULL, stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
        )
        self._ended: asyncio.Future[int] = self._loop.create_future()
        self._pipes = [pipe for pipe in (self._popen.stdout, self._popen.stderr, self._popen.stdin) if pipe is not None]
        """Those that are no streams yet: from then on a pipe is closed by its stream alone, which does so later."""
        self._outputs: list[asyncio.BaseTransport] = []
        self._end_fd = os.pidfd_open(self._popen.pid)
        self._loop.add_reader(self._end_fd, self._note_end)
        self.stdin: asyncio.StreamWriter | None = None
        self.stdout, self.stderr = asyncio.StreamReader(), asyncio.StreamReader()

    @property
    def pid(self) -> int:
        return self._popen.pid

    @property
    def status(self) -> int | None:
        """Negative when a signal ended it; None: it runs."""
        return self._popen.returncode

    async def connect(self) -> None:
        """Have its pipes as streams.

        It is done whole when it is cancelled: of a half-made stream uvloop closes a descriptor that Python still takes
        for its own, and would close again when it is another's.
        """
        connecting = asyncio.ensure_future(self._connect())   # its owner is this function, which waits
        try:
            await asyncio.shield(connecting)
        except asyncio.CancelledError:
            await asyncio.wait({connecting})
            raise

    async def _connect(self) -> None:
        for reader in (self.stdout, self.stderr):
            read = partial(asyncio.StreamReaderProtocol, reader)
            output, _ = await self._loop.connect_read_pipe(read, self._take())
            self._outputs.append(output)
        if self._pipes:
            nothing = asyncio.StreamReader()   # its protocol knows when the pipe is full
            protocol = asyncio.StreamReaderProtocol(nothing)
            transport, _ = await self._loop.connect_write_pipe(lambda: protocol, self._take())
            self.stdin = asyncio.StreamWriter(transport, protocol, nothing, self._loop)

    def kill(self) -> None:
        """It and whatever it has started."""
        if self._popen.returncode is None:
            with suppress(ProcessLookupError):
                os.killpg(self._popen.pid, signal.SIGKILL)

    def close(self) -> None:
        """Its pipes, also those that nobody has read to their end; what is still to be written is not."""
        for transport in self._outputs:
            transport.close()
        if self.stdin is not None:
            stdin = self.stdin.transport
            if stdin.get_write_buffer_size() or not stdin.is_closing():
                stdin.abort()
        for pipe in self._pipes:   # it was cancelled before they were streams
            pipe.close()

    async def wait(self) -> int:
        """Its status, when it has ended."""
        return await asyncio.shield(self._ended)

    async def reap(self) -> None:
        """Wait for the end of one that was killed, also when whoever waits is cancelled: else nobody would."""
        try:
            await self.wait()
        except asyncio.CancelledError:
            await asyncio.wait({self._ended}, timeout=REAP_SECONDS)
            raise

    def _take(self) -> Any:
        """The next pipe. It is its stream's from now on."""
        pipe = self._pipes.pop(0)
        if not isinstance(self._loop, uvloop.Loop):
            return pipe
        descriptor = os.dup(pipe.fileno())
        pipe.close()
        return _ClosedByLibuv(descriptor)

    def _note_end(self) -> None:
        status = self._popen.poll()
        if status is None:
            return
        self._loop.remove_reader(self._end_fd)
        os.close(self._end_fd)
        self._ended.set_result(status)
