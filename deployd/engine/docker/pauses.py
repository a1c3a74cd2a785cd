"""Containers that stand still for a while, by the kernel's own files of their control groups and not by the Engine.

The Engine's pause can stop a program that it is just starting in the container, a health check say, half-way; it then
waits for that program, and for ever, because it lets nobody go on meanwhile. A file waits for nobody. The Engine is not
told: what it starts in the container waits there, and goes on with it.

A program of its own does it (`pause_keeper.py`), which ends the pause when the daemon is gone or too slow.
"""

from __future__ import annotations

import asyncio
import sys
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager, suppress
from pathlib import Path

from deployd.engine.docker.containers import Containers
from deployd.engine.docker.edge import ask
from deployd.engine.docker.pause_keeper import THAW
from deployd.engine.errors import EngineOverran, EngineRefused, NotPaused, NotRunning, NotThere
from deployd.process import Process, open_process

KEEPER = Path(__file__).with_name("pause_keeper.py")
PROCESSES, GROUPS = Path("/proc"), Path("/sys/fs/cgroup")
SAID_SECONDS = 20.0
"""A keeper gives up after ten."""
UNPAUSE_SECONDS = 20.0


class Pauses(Containers):
    @asynccontextmanager
    async def paused(self, names: Sequence[str], limit_seconds: float) -> AsyncIterator[None]:
        """Asked of them meanwhile, the Engine answers when what it starts in them has started."""
        files = [await self._pause_file(name) for name in names]
        argv = (sys.executable, "-I", "-S", str(KEEPER), str(limit_seconds), *map(str, files))
        async with open_process(*argv) as keeper:
            try:
                _expect(await _said(keeper), "paused", limit_seconds)
                yield
            finally:
                keeper.stdin.close()
                said = await _said(keeper)
            _expect(said, "asked", limit_seconds)

    async def ensure_going_on(self, name: str) -> None:
        """Its keeper has done so already, unless both were killed at once. An earlier deployd paused through the
        Engine, which has to be asked first then: it calls paused what it has paused, and takes a thaw by others for an
        error."""
        with suppress(NotThere, NotRunning, EngineRefused, EngineOverran):   # not paused; or it waits for itself
            await ask(f"let {name} go on", self.docker.containers.container(name).unpause(), UNPAUSE_SECONDS)
        seen = await self.container(name)
        file = await asyncio.to_thread(pause_file, seen.pid, seen.id) if seen and seen.pid else None
        if file is not None:
            with suppress(FileNotFoundError):   # it has ended meanwhile
                await asyncio.to_thread(file.write_text, THAW[file.name])

    async def _pause_file(self, name: str) -> Path:
        seen = await self.container(name)
        if seen is None:
            raise NotThere(f"cannot pause the container {name}: there is none")
        if seen.pid is None:
            raise NotRunning(f"cannot pause the container {name}: it does not run")
        file = await asyncio.to_thread(pause_file, seen.pid, seen.id)
        if file is None:
            raise NotPaused(
                f"cannot pause the container {name}: its control group is not below {GROUPS}",
                hint="deployd needs the host's control groups, with the freezer: `cat /proc/PID/cgroup` shows them",
            )
        return file


def pause_file(pid: int, container: str, processes: Path = PROCESSES, groups: Path = GROUPS) -> Path | None:
    """The file by which a container is paused; None: it has ended, or its control groups are somewhere else.

    Args:
        pid: Of its first process, which may have made a group of its own further down.
        container: Its id, which its group is called by: a number of a process may have got another owner since.
    """
    try:
        lines = (processes / str(pid) / "cgroup").read_text().splitlines()
    except OSError:
        return None
    found = {}
    for line in lines:
        _, controllers, path = line.split(":", 2)
        above, named, _ = path.partition(container)
        if named:
            group = f"{above}{named}{'.scope' if path[len(above) + len(named):].startswith('.scope') else ''}"
            found[controllers] = group.lstrip("/")
    files = [
        groups / "freezer" / found.get("freezer", "-") / "freezer.state", groups / found.get("", "-") / "cgroup.freeze",
    ]
    return next((file for file in files if file.exists()), None)


def _expect(said: str, wanted: str, limit_seconds: float) -> None:
    if said == wanted:
        return
    kind, _, text = said.partition(" ")
    why = {
        "late": f"they went on after {limit_seconds:g} s, which is as long as they may stand still",
        "broken": "somebody let them go on meanwhile",
        "refused": text,
    }.get(kind, "the program that pauses them was ended")
    raise NotPaused(f"containers do not stand still: {why}", hint="try again; the host may be too busy")


async def _said(keeper: Process) -> str:
    """The keeper's next word; empty when it has ended without one."""
    try:
        async with asyncio.timeout(SAID_SECONDS):
            return (await keeper.stdout.readline()).decode(errors="replace").strip()
    except TimeoutError:
        return ""
