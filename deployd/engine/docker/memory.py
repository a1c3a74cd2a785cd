"""Whether the kernel killed something in a container because the container's memory was full.

Docker tells it of containers that have ended, though not everywhere. Of those that run, where a hook was killed and its
container lives on, the kernel keeps count in the control group, which is read here; version 1 and 2.
"""

from __future__ import annotations

import asyncio
from pathlib import Path

from deployd.engine.docker.containers import Containers

PROCESSES = Path("/proc")
GROUPS = Path("/sys/fs/cgroup")


class Memory(Containers):
    async def ran_out_of_memory(self, name: str) -> bool:
        seen = await self.container(name)
        if seen is None:
            return False
        return seen.out_of_memory or (seen.pid is not None and await asyncio.to_thread(killed_for_memory, seen.pid) > 0)


def killed_for_memory(pid: int, processes: Path = PROCESSES, groups: Path = GROUPS) -> int:
    """How many processes of a process's control group were killed for want of memory; 0 when it cannot be known."""
    try:
        for line in (processes / str(pid) / "cgroup").read_text().splitlines():
            _, controllers, path = line.split(":", 2)
            if controllers == "":
                return _count(groups / path.lstrip("/") / "memory.events")
            if "memory" in controllers.split(","):
                return _count(groups / "memory" / path.lstrip("/") / "memory.oom_control")
    except OSError:
        pass   # it has ended, or control groups are somewhere else
    return 0


def _count(file: Path) -> int:
    values = dict(line.split(" ", 1) for line in file.read_text().splitlines())
    return int(values.get("oom_kill", 0))
