"""A command of the engine's double with somebody at its streams: what it does is a `Program`."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field

from deployd.engine.errors import StandsStill
from deployd.engine.specs import RunAs, TerminalSize
from tests.doubles.programs import Program, status_of


@dataclass
class RunningDouble:
    """It runs when its input has ended, or at once when its program does not depend on that."""

    container: str
    argv: tuple[str, ...]
    run_as: RunAs
    terminal: TerminalSize | None
    find: Callable[[bytes], Program]
    needs_input: bool
    is_paused: bool
    input: bytes = b""
    sizes: list[TerminalSize] = field(default_factory=list)
    signals: list[str] = field(default_factory=list)
    status: int | None = None
    _program: Program | None = None
    _changed: asyncio.Event = field(default_factory=asyncio.Event)
    _ready: deque[tuple[str, bytes]] = field(default_factory=deque)

    def begin(self) -> None:
        if not self.needs_input and not self.is_paused:
            self._run()

    async def wait_until_begun(self) -> None:
        if self.is_paused:
            raise StandsStill(f"cannot run {self.argv[0]} in {self.container}: its container is paused")

    async def read(self) -> tuple[str, bytes] | None:
        await self.wait_until_begun()
        while not self._ready and self.status is None:
            self._changed.clear()
            await self._changed.wait()
        return self._ready.popleft() if self._ready else None

    async def write(self, data: bytes) -> None:
        if self.status is None:
            self.input += data

    def end_input(self) -> None:
        if self._program is None and not self.is_paused:
            self._run()

    async def resize(self, size: TerminalSize) -> None:
        self.sizes.append(size)

    async def send_signal(self, signal: str) -> None:
        self.signals.append(signal)
        if self.status is None and self._program is not None and signal not in self._program.ignores:
            text, status = self._program.on_signal.get(signal, ("", status_of(signal)))
            self.print("stdout", text)
            self.end(status)

    async def wait(self) -> int:
        while self.status is None:
            self._changed.clear()
            await self._changed.wait()
        return self.status

    def print(self, stream: str, text: str) -> None:
        if text:
            if self.terminal is not None:
                stream, text = "stdout", text.replace("\n", "\r\n")
            self._ready.append((stream, text.encode()))
            self._changed.set()

    def end(self, status: int) -> None:
        if self.status is None:
            self.status = status
            self._changed.set()

    def _run(self) -> None:
        self._program = program = self.find(self.input)
        self.print("stdout", program.stdout)
        self.print("stderr", program.stderr)
        if program.seconds == 0:
            self.end(program.status)
        elif program.seconds is not None:
            with suppress(RuntimeError):
                asyncio.get_running_loop().call_later(program.seconds, self.end, program.status)
