"""A command of the engine's double, with a socket that is its streams: what it does is a `Program`."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field

from deployd.engine.specs import RunAs, TerminalSize
from deployd.frames import frame
from tests.doubles.programs import Program, status_of


@dataclass
class RunningDouble:
    """It runs when its input has ended, or at once when its program does not depend on that."""

    id: str
    container: str
    argv: tuple[str, ...]
    run_as: RunAs
    terminal: TerminalSize | None
    find: Callable[[bytes], Program]
    needs_input: bool
    input: bytes = b""
    sizes: list[TerminalSize] = field(default_factory=list)
    signals: list[str] = field(default_factory=list)
    status: int | None = None
    has_been_ended: bool = False
    streams: socket.socket | None = None
    _inside: socket.socket | None = None
    _program: Program | None = None
    _changed: asyncio.Event = field(default_factory=asyncio.Event)

    def begin(self) -> None:
        self.streams, self._inside = socket.socketpair()
        self.streams.setblocking(False)
        self._inside.setblocking(False)
        asyncio.get_running_loop().add_reader(self._inside, self._take)
        if not self.needs_input:
            self._run()

    async def resize(self, size: TerminalSize) -> None:
        self.sizes.append(size)

    async def send_signal(self, signal: str) -> None:
        self.signals.append(signal)
        if self.status is None and self._program is not None and signal not in self._program.ignores:
            text, status = self._program.on_signal.get(signal, ("", status_of(signal)))
            self.print("stdout", text)
            self.finish(status)

    async def wait_until_over(self) -> None:
        await self.wait()

    async def wait(self) -> int:
        while self.status is None:
            self._changed.clear()
            await self._changed.wait()
        return self.status

    async def end(self) -> None:
        self.has_been_ended = True
        self.finish(status_of("SIGHUP"))

    def let_go(self) -> None:
        """Others go on with it."""

    def print(self, stream: str, text: str) -> None:
        if text and self._inside is not None:
            data = text.encode() if self.terminal is None else text.replace("\n", "\r\n").encode()
            with suppress(OSError):
                self._inside.send(data if self.terminal is not None else frame(stream, data))

    def finish(self, status: int) -> None:
        if self.status is None:
            self.status = status
            self._close()
            self._changed.set()

    def _take(self) -> None:
        assert self._inside is not None
        try:
            chunk = self._inside.recv(65_536)
        except OSError:
            chunk = b""
        self.input += chunk
        if not chunk:
            asyncio.get_running_loop().remove_reader(self._inside)
            if self._program is None:
                self._run()

    def _run(self) -> None:
        self._program = program = self.find(self.input)
        self.print("stdout", program.stdout)
        self.print("stderr", program.stderr)
        if program.seconds == 0:
            self.finish(program.status)
        elif program.seconds is not None:
            asyncio.get_running_loop().call_later(program.seconds, self.finish, program.status)

    def _close(self) -> None:
        inside, self._inside = self._inside, None
        if inside is not None:
            asyncio.get_running_loop().remove_reader(inside)
            inside.close()


class FoundDouble:
    """The same command, as another process finds it."""

    streams = None

    def __init__(self, found: RunningDouble) -> None:
        self.id = found.id
        self.resize, self.send_signal, self.end = found.resize, found.send_signal, found.end
        self.wait_until_over, self.wait, self.let_go = found.wait_until_over, found.wait, found.let_go
