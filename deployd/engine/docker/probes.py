"""The kernel of this host, asked about processes of containers: `/proc` is read beside the loop."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Collection
from pathlib import Path
from typing import TypeVar

from deployd.confined.mountinfo import parse_mountinfo
from deployd.engine.docker import listening
from deployd.engine.observed import ContainerSeen

PROCESSES = Path("/proc")
ENDED = frozenset("ZX")
"""Zombie and dead. The first process of a container becomes one when all others of the container have been killed."""
T = TypeVar("T")


class Probes:
    async def is_alive(self, seen: ContainerSeen) -> bool:
        return await _ask(seen, is_alive, False)

    async def is_listening(self, seen: ContainerSeen, wanted: int | str) -> bool:
        return await _ask(seen, lambda pid: listening.is_listening(pid, wanted), False)

    async def listening_ports(self, seen: ContainerSeen) -> tuple[int, ...]:
        return await _ask(seen, listening.listening_ports, ())

    async def listens_itself(self, seen: ContainerSeen, process: int, wanted: int | str) -> bool:
        return await _ask(seen, lambda pid: listening.listens_itself(pid, process, wanted), False)

    async def connections_to(self, containers: Collection[ContainerSeen], port: int, path: str) -> int:
        pids = [seen.pid for seen in containers if seen.pid is not None]
        return await asyncio.to_thread(lambda: sum(listening.connections_to(pid, port, path) for pid in pids))

    async def has_mounted(self, seen: ContainerSeen, path: Path, kind: str) -> bool:
        return await _ask(seen, lambda pid: is_mounted_for(pid, path, kind), False)


async def _ask(seen: ContainerSeen, question: Callable[[int], T], of_the_dead: T) -> T:
    return await asyncio.to_thread(question, seen.pid) if seen.pid is not None else of_the_dead


def is_mounted_for(pid: int, path: Path, kind: str) -> bool:
    """Whether a process has a file system of this kind at a path, in the mounts of its own container."""
    try:
        with Path(f"/proc/{pid}/mountinfo").open("rb") as lines:
            return any(item.path == path and item.kind == kind for item in parse_mountinfo(lines))
    except OSError:
        return False   # it has ended


def is_alive(pid: int) -> bool:
    """False for one that has ended, whether or not its parent has looked at that."""
    try:
        stat = (PROCESSES / str(pid) / "stat").read_text()
    except (FileNotFoundError, ProcessLookupError):
        return False
    return stat.rpartition(")")[2].split()[0] not in ENDED   # the name before it may hold anything
