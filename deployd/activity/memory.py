"""How much of the host's memory is free for what is about to begin.

What runs counts with what it really uses, whoever it belongs to: containers have limits far above their use, and an
idle host with many small environments must not refuse work. What has just begun counts with all that it may take,
because it has not taken it yet.

    free = total - max(used now, used before the oldest of these began + what these may take)

So a build that has grown is not counted twice, and what else has grown since is.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

MEMINFO = Path("/proc/meminfo")
LEAST_RESERVE_MB = 256
RESERVED_PART = 10
"""One tenth stays for Docker, the router, the daemon and the kernel's caches."""


@dataclass(frozen=True, slots=True)
class HostMemory:
    """What the kernel says."""

    total_mb: int
    available_mb: int
    """What could be used without swapping; caches are counted as free."""


def read_memory(file: Path = MEMINFO) -> HostMemory:
    """The host's memory now, in MB of 1024 × 1024 bytes."""
    values = dict(line.split(":", 1) for line in file.read_text().splitlines() if ":" in line)
    total, available = (int(values[name].split()[0]) // 1024 for name in ("MemTotal", "MemAvailable"))
    return HostMemory(total, available)


def usable_mb(total_mb: int) -> int:
    """What builds and deployments may count on, of so much memory, when the settings do not say."""
    return total_mb - max(LEAST_RESERVE_MB, total_mb // RESERVED_PART)


class Memory:
    """The memory that builds and deployments share."""

    def __init__(self, total_mb: int, used_mb: Callable[[], int]) -> None:
        """
        Args:
            total_mb: All that there can be.
            used_mb: Tells what is really used now.
        """
        self.total_mb = total_mb
        self._used_mb = used_mb
        self._before_mb = 0
        self._taken_mb = 0

    def free_mb(self) -> int:
        """May be below 0."""
        used = self._used_mb()
        if self._taken_mb == 0:
            self._before_mb = used
        return self.total_mb - max(used, self._before_mb + self._taken_mb)

    def take(self, mb: int) -> None:
        """It is taken without asking: look at `free_mb` before."""
        if self._taken_mb == 0:
            self._before_mb = self._used_mb()
        self._taken_mb += mb

    def give_back(self, mb: int) -> None:
        self._taken_mb -= mb
        # What stays used beyond what the others may take has come to stay: the environment that was deployed.
        self._before_mb = max(self._before_mb, self._used_mb() - self._taken_mb)


def host_memory(limit_mb: int | None) -> Memory:
    """The memory of this host.

    Args:
        limit_mb: All that may be used, of whatever runs on the host; None: what the host has, less a reserve.
    """
    total = limit_mb or usable_mb(read_memory().total_mb)

    def used() -> int:
        now = read_memory()
        return now.total_mb - now.available_mb

    return Memory(total, used)
