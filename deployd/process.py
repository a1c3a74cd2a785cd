"""The only place that starts a program.

Never a shell; each program leads a process group of its own, which is killed whole when its time is over or its caller
is cancelled; both pipes are read while it runs. Lines are cut here and not by `readline`, which dies on a line over
64 KiB: one minified file in a build's output is enough.
"""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

from deployd.child import Child
from deployd.errors import DeployError

LineSink = Callable[[str, str], None]
"""Called with (`stdout` or `stderr`, one line without its end)."""

CHUNK_BYTES = 65_536
LONGEST_LINE_BYTES = 16_384   # a person reads no further; the rest is cut with a mark


@dataclass(frozen=True, slots=True)
class Output:
    """How a program ended, and what it wrote: the last `keep_bytes` of each stream."""

    status: int
    stdout: bytes
    stderr: bytes

    @property
    def text(self) -> str:
        """Standard output as text, outer white space removed."""
        return self.stdout.decode(errors="replace").strip()

    def last_lines(self, count: int = 20) -> tuple[str, ...]:
        """Last lines of standard error, or of standard output when there are none."""
        text = (self.stderr.strip() or self.stdout.strip()).decode(errors="replace")
        return tuple(text.splitlines()[-count:])


class ProgramFailed(DeployError):
    """A program ended with a status other than 0."""

    code: ClassVar[str] = "program-failed"

    def __init__(self, argv: tuple[str, ...], output: Output) -> None:
        super().__init__(f"{argv[0]} ended with exit status {output.status}", evidence=output.last_lines())
        self.output = output
        self.status = output.status


class ProgramOverran(DeployError):
    """A program was still running when its time was over, and was killed."""

    code: ClassVar[str] = "program-overran"

    def __init__(self, argv: tuple[str, ...], limit_seconds: float) -> None:
        super().__init__(f"{argv[0]} was still running after {limit_seconds:g} s and was ended")


class ProgramMissing(DeployError):
    """A program is not installed."""

    code: ClassVar[str] = "program-missing"

    def __init__(self, argv: tuple[str, ...]) -> None:
        super().__init__(f"the program {argv[0]} cannot be started: it is not installed", hint=f"install {argv[0]}")


class LineCutter:
    """Chunks in, lines out; very long lines are cut with a mark, and the last one needs no end."""

    def __init__(self, sink: Callable[[str], None]) -> None:
        self._sink = sink
        self._rest = b""
        self._skipping = False

    def feed(self, chunk: bytes) -> None:
        *lines, self._rest = (self._rest + chunk).split(b"\n")
        for line in lines:
            self._give(line)
        if len(self._rest) > LONGEST_LINE_BYTES:
            self._give(self._rest)
            self._rest, self._skipping = b"", True

    def end(self) -> None:
        if self._rest:
            self._give(self._rest)
            self._rest = b""

    def _give(self, line: bytes) -> None:
        if self._skipping:               # what is left of a line that was already given, cut
            self._skipping = False
            return
        mark = " […]" if len(line) > LONGEST_LINE_BYTES else ""
        self._sink(line[:LONGEST_LINE_BYTES].rstrip(b"\r").decode(errors="replace") + mark)


async def run(
    *argv: str,
    cwd: Path | str | None = None,
    env: Mapping[str, str] | None = None,
    stdin: bytes | None = None,
    limit_seconds: float = 60,
    check: bool = True,
    on_line: LineSink | None = None,
    keep_bytes: int = 1_000_000,
) -> Output:
    """Run a program to its end.

    Args:
        env: The whole environment; None inherits ours.
        check: Raise when the status is not 0.
        on_line: Told every line as it is written.

    Raises:
        ProgramFailed: It ended with a status other than 0 (and `check`).
        ProgramOverran: It ran longer than `limit_seconds`.
        ProgramMissing: It is not installed.
    """
    async with open_process(*argv, cwd=cwd, env=env, with_stdin=stdin is not None) as process:
        try:
            async with asyncio.timeout(limit_seconds), asyncio.TaskGroup() as group:
                if stdin is not None:
                    group.create_task(_write(process, stdin), name=f"{argv[0]} stdin")
                out = group.create_task(_read(process.stdout, "stdout", on_line, keep_bytes), name=f"{argv[0]} stdout")
                err = group.create_task(_read(process.stderr, "stderr", on_line, keep_bytes), name=f"{argv[0]} stderr")
                status = await process.wait()
        except TimeoutError:
            raise ProgramOverran(argv, limit_seconds) from None
    output = Output(status, out.result(), err.result())
    if check and status != 0:
        raise ProgramFailed(argv, output)
    return output


class Process:
    """A running program with its pipes."""

    def __init__(self, child: Child) -> None:
        self._child = child
        self.stdout, self.stderr = child.stdout, child.stderr

    @property
    def stdin(self) -> asyncio.StreamWriter:
        assert self._child.stdin is not None
        return self._child.stdin

    @property
    def pid(self) -> int:
        return self._child.pid

    @property
    def has_ended(self) -> bool:
        return self._child.status is not None

    def end(self) -> None:
        """Kill it and whatever it has started; its pipes are at their end then."""
        self._child.kill()

    async def wait(self) -> int:
        """Exit status; negative when a signal ended it. Read the pipes meanwhile, or it may never end."""
        return await self._child.wait()


@asynccontextmanager
async def open_process(
    *argv: str,
    cwd: Path | str | None = None,
    env: Mapping[str, str] | None = None,
    with_stdin: bool = True,
) -> AsyncIterator[Process]:
    """A program whose pipes the caller streams; whatever is left of its process group is killed at the end.

    Raises:
        ProgramMissing: It is not installed.
    """
    try:
        child = Child(argv, cwd=cwd, env=env, with_stdin=with_stdin)
    except FileNotFoundError:
        if cwd is not None and not os.path.isdir(cwd):   # noqa: ASYNC240  one stat, on the way to an error
            raise
        raise ProgramMissing(argv) from None
    try:
        await child.connect()
        yield Process(child)
    finally:
        child.kill()
        child.close()
        await child.reap()


async def start_detached(*argv: str, stderr: Path, env: Mapping[str, str]) -> None:
    """Start a program that is to outlive us, in a session of its own; it is no child of ours, and has no pipes.

    Args:
        stderr: File for what it says when it fails; written anew.

    Raises:
        ProgramFailed, ProgramMissing: It cannot be started.
    """
    words = os.open(stderr, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
    command = ("setsid", "--fork", *argv)   # asyncio would kill a child when its loop is closed
    try:
        process = await asyncio.create_subprocess_exec(
            *command, cwd="/", env=dict(env), stdin=asyncio.subprocess.DEVNULL, stdout=asyncio.subprocess.DEVNULL,
            stderr=words, start_new_session=True,
        )
        status = await process.wait()
    except FileNotFoundError:
        raise ProgramMissing(command) from None
    finally:
        os.close(words)
    if status != 0:
        raise ProgramFailed(command, Output(status, b"", b""))


async def _write(process: Process, data: bytes) -> None:
    # A program may end without reading all of it; that is its right and its status tells.
    with suppress(BrokenPipeError, ConnectionResetError):
        process.stdin.write(data)
        await process.stdin.drain()
    process.stdin.close()


async def _read(stream: asyncio.StreamReader, name: str, on_line: LineSink | None, keep_bytes: int) -> bytes:
    kept = bytearray()
    cutter = LineCutter(lambda text: on_line(name, text)) if on_line else None
    while chunk := await stream.read(CHUNK_BYTES):
        kept += chunk
        if len(kept) > 2 * keep_bytes:
            del kept[:-keep_bytes]
        if cutter:
            cutter.feed(chunk)
    if cutter:
        cutter.end()
    return bytes(kept[-keep_bytes:])
