"""Scripts in a container: started or found again, followed to their end, ended."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from deployd.engine.engine import EVIDENCE_LINES, Engine
from deployd.engine.errors import NotRunning, NotThere, ScriptLost, ScriptOverran
from deployd.engine.script import (
    Script,
    age_seconds,
    has_started,
    is_held,
    is_lost,
    read_output,
    read_status,
)
from deployd.engine.script_wrapper import END, OUTPUT_BYTES, wrapper_command
from deployd.engine.specs import NONE, RunAs
from deployd.process import LineCutter
from deployd.units import MEGABYTE

CHUNK_BYTES = 1_000_000
SLICE_BYTES = 2_048
"""Is cut into lines and told at once, which may be a thousand lines; then others get their turn in the loop."""
SHORTEST_PAUSE_SECONDS, LONGEST_PAUSE_SECONDS = 0.02, 0.1
LOOK_SECONDS = 1.0
START_SECONDS = 30.0
"""From starting a container or a command until its wrapper has the lock; a third of a second when nothing is busy."""
END_SECONDS = 10.0
"""Between asking a script to end and killing it."""


@dataclass(frozen=True, slots=True)
class ScriptRunner:
    """A container in which scripts run, and as whom."""

    engine: Engine
    container: str
    user: str
    """`uid:gid`. Nobody else may end a script, least of all root."""

    async def start_or_attach(
        self, script: Script, *, environment: Mapping[str, str] = NONE, working_folder: str | None = None,
    ) -> None:
        """Start the script in the container, which runs, unless it has started already; `follow` tells how it fares.

        Raises:
            NotThere, NotRunning: There is no such container, or it does not run.
        """
        if not await asyncio.to_thread(has_started, script):
            run_as = RunAs(self.user, environment, working_folder)
            await self.engine.start_detached(self.container, wrapper_command(script), run_as)

    async def follow(
        self, script: Script, on_line: Callable[[str], None], *, limit_seconds: float, offset: int = 0,
    ) -> int:
        """Give every line of a script to `on_line` until it ends, then its exit status.

        Works for a command in a container as for a container whose main process is the wrapper, and after a restart of
        the daemon: then begin at the `offset` (in bytes, of the beginning of a line) that was dealt with.

        Args:
            limit_seconds: From the script's own start, whoever followed it then.

        Raises:
            ScriptLost: It is gone and left no status.
            ScriptOverran: It ran longer than `limit_seconds`; it was ended.
        """
        recent: list[str] = []

        def tell(text: str) -> None:
            recent.append(text)
            del recent[:-EVIDENCE_LINES]
            on_line(text)

        tail = _Tail(script, tell, offset)
        loop = asyncio.get_running_loop()
        began = looked = loop.time()
        pause = SHORTEST_PAUSE_SECONDS
        while True:
            status, grown = await asyncio.to_thread(tail.look)
            await tail.give()
            if status is not None:
                tail.end()
                return status
            if loop.time() - looked >= LOOK_SECONDS:
                looked = loop.time()
                await self._refuse_lost(script, looked - began, recent)
                await self._refuse_late(script, limit_seconds, recent)
            pause = SHORTEST_PAUSE_SECONDS if grown else min(pause * 1.3, LONGEST_PAUSE_SECONDS)
            await asyncio.sleep(pause)

    async def end(
        self, folder: Path, *, signals: tuple[str, ...] = ("TERM", "KILL"), grace_seconds: float | None = None,
    ) -> None:
        """End a script that runs, with everything in its session; not running is fine.

        Args:
            folder: Of the script: `<folder>/<name>`.
            grace_seconds: Between the signals; END_SECONDS when nobody says otherwise.
        """
        script = Script(folder)
        for signal in signals:
            if not await asyncio.to_thread(is_held, script):
                return
            with suppress(NotThere, NotRunning):      # then it has just ended with its container
                argv = ("/bin/sh", "-c", END, "deployd-end", script.inside, signal)
                await self.engine.execute(self.container, argv, RunAs(self.user))
            with suppress(TimeoutError):
                async with asyncio.timeout(END_SECONDS if grace_seconds is None else grace_seconds):
                    while await asyncio.to_thread(is_held, script):   # noqa: ASYNC110  the kernel tells nobody
                        await asyncio.sleep(SHORTEST_PAUSE_SECONDS)

    async def _refuse_lost(self, script: Script, waited_seconds: float, recent: Sequence[str]) -> None:
        if await self._is_lost(script, waited_seconds):
            raise ScriptLost(
                f"{script.name} was ended from outside: it left no exit status", evidence=tuple(recent),
                hint="its container was killed or had no memory left (see the last lines); try again",
            )

    async def _refuse_late(self, script: Script, limit_seconds: float, recent: Sequence[str]) -> None:
        if await asyncio.to_thread(age_seconds, script) > limit_seconds:
            await self.end(script.folder)
            raise ScriptOverran(
                f"{script.name} was still running after {limit_seconds:g} s and was ended", evidence=tuple(recent),
                hint="make it faster, or raise its limit",
            )

    async def _is_lost(self, script: Script, waited_seconds: float) -> bool:
        if await asyncio.to_thread(has_started, script):
            return await asyncio.to_thread(is_lost, script)
        if waited_seconds > START_SECONDS:
            lost = True
        else:
            there = await self.engine.container(self.container)
            lost = there is None or not there.running
        # It may have ended between the look at its status and now.
        return lost and await asyncio.to_thread(read_status, script) is None


class _Tail:
    """What a script wrote since the last look. `look` runs in a thread, `give` in the loop."""

    def __init__(self, script: Script, tell: Callable[[str], None], offset: int) -> None:
        self._script = script
        self._offset = offset
        self._chunk = b""
        self._tell = tell
        self._cutter = LineCutter(tell)

    def look(self) -> tuple[int | None, bool]:
        """(status, whether there was something new). A status is given only when all of the output has been."""
        status = read_status(self._script)      # first: what is written before the status is then seen with it
        most = min(CHUNK_BYTES, OUTPUT_BYTES - self._offset)   # it can write past the bound if it means to
        self._chunk = read_output(self._script, self._offset, most)
        self._offset += len(self._chunk)
        more = len(self._chunk) == CHUNK_BYTES
        return (None if more else status), bool(self._chunk)

    async def give(self) -> None:
        chunk, self._chunk = self._chunk, b""
        for start in range(0, len(chunk), SLICE_BYTES):
            self._cutter.feed(chunk[start:start + SLICE_BYTES])
            await asyncio.sleep(0)

    def end(self) -> None:
        self._cutter.end()
        if self._offset >= OUTPUT_BYTES:
            self._tell(f"[…] what it wrote after {OUTPUT_BYTES // MEGABYTE} MB was not kept")
