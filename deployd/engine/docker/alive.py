"""Whether a process of this host lives, asked of the kernel."""

from __future__ import annotations

from pathlib import Path

PROCESSES = Path("/proc")
ENDED = frozenset("ZX")
"""Zombie and dead. The first process of a container becomes one when all others of the container have been killed."""


def is_alive(pid: int) -> bool:
    """False for one that has ended, whether or not its parent has looked at that."""
    try:
        stat = (PROCESSES / str(pid) / "stat").read_text()
    except (FileNotFoundError, ProcessLookupError):
        return False
    return stat.rpartition(")")[2].split()[0] not in ENDED   # the name before it may hold anything
