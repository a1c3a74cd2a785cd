"""What containers use, from the kernel's control groups, version 1 and 2: some small files for each, and no question to
Docker, which takes a second for one container's figures and keeps busy as long as somebody asks.

Where Docker keeps the groups is found by the container's id, in the places that its two drivers use; in a host of
another kind by the first process of the container.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TypeVar

from deployd.engine.docker.memory import GROUPS, PROCESSES
from deployd.engine.observed import ContainerSeen, GroupFigures

T = TypeVar("T")
Folders = Mapping[str, Path]
"""{controller: its folder}; of version 2 there is one, `""`."""
PLACES = ("docker/{}", "system.slice/docker-{}.scope")
"""By the drivers cgroupfs and systemd."""
NO_LIMIT = 1 << 60
"""Version 1 writes a number that is as large when there is none."""
MOST_KNOWN = 5_000


class Groups:
    """Reads figures of running containers. Blocking; for a thread."""

    def __init__(self, groups: Path = GROUPS, processes: Path = PROCESSES) -> None:
        self._groups = groups
        self._processes = processes
        self._is_second = (groups / "cgroup.controllers").exists()
        self._known: dict[str, Folders] = {}
        """{container: its group}"""

    def figures(self, seen: ContainerSeen) -> GroupFigures | None:
        return self._read(seen, _figures_2 if self._is_second else _figures_1)

    def kills(self, seen: ContainerSeen) -> int | None:
        return self._read(seen, _kills_2 if self._is_second else _kills_1)

    def _read(self, seen: ContainerSeen, read: Callable[[Folders], T]) -> T | None:
        folders = self._known.get(seen.id) or self._find(seen)
        if not folders:
            return None
        try:
            return read(folders)
        except (OSError, ValueError, KeyError):   # it has ended
            self._known.pop(seen.id, None)
            return None

    def _find(self, seen: ContainerSeen) -> Folders:
        controllers = ("",) if self._is_second else ("memory", "cpuacct")
        for place in (*(item.format(seen.id) for item in PLACES), *self._places_of(seen.pid)):
            folders = {name: self._groups / name / place for name in controllers}
            if all(folder.is_dir() for folder in folders.values()):
                if len(self._known) >= MOST_KNOWN:
                    self._known.clear()
                self._known[seen.id] = folders
                return folders
        return {}

    def _places_of(self, pid: int | None) -> list[str]:
        """Where a process is, by its own word; of version 1 in the group of its memory."""
        if pid is None:
            return []
        try:
            lines = (self._processes / str(pid) / "cgroup").read_text().splitlines()
        except OSError:
            return []
        found = [line.split(":", 2) for line in lines]
        return [
            path.lstrip("/") for _, controllers, path in found
            if (controllers == "" if self._is_second else "memory" in controllers.split(","))
        ]


def _figures_1(folders: Folders) -> GroupFigures:
    memory = folders["memory"]
    used = int((memory / "memory.usage_in_bytes").read_text())
    idle = _value(memory / "memory.stat", "total_inactive_file")
    limit = int((memory / "memory.limit_in_bytes").read_text())
    cpu = int((folders["cpuacct"] / "cpuacct.usage").read_text()) / 1e9
    return GroupFigures(cpu, max(0, used - idle), limit if limit < NO_LIMIT else None, _kills_1(folders))


def _kills_1(folders: Folders) -> int:
    return _value(folders["memory"] / "memory.oom_control", "oom_kill")


def _figures_2(folders: Folders) -> GroupFigures:
    group = folders[""]
    used = int((group / "memory.current").read_text())
    idle = _value(group / "memory.stat", "inactive_file")
    limit = (group / "memory.max").read_text().strip()
    cpu = _value(group / "cpu.stat", "usage_usec") / 1_000_000
    return GroupFigures(cpu, max(0, used - idle), None if limit == "max" else int(limit), _kills_2(folders))


def _kills_2(folders: Folders) -> int:
    return _value(folders[""] / "memory.events", "oom_kill")


def _value(file: Path, name: str) -> int:
    """Of a line `name 42`; 0 when there is none: an older kernel does not count it."""
    return int(f"\n{file.read_text()}".partition(f"\n{name} ")[2].partition("\n")[0] or 0)
