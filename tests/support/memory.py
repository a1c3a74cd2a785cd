"""What the processes of a container have of the host's memory."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from deployd.process import run


async def memory_kb(container: str) -> int:
    """Proportional set size of all processes of a container."""
    return pss_kb(await processes(container))


async def processes(container: str) -> Sequence[str]:
    """The numbers of all processes of a container."""
    return (await run("docker", "top", container, "-o", "pid")).text.split()[1:]


async def workers(container: str) -> Sequence[str]:
    """Those of nginx's that stay: one that loads the cache ends after a minute."""
    return [
        pid for pid in await processes(container) if b"cache loader" not in Path(f"/proc/{pid}/cmdline").read_bytes()
    ]


def pss_kb(pids: Sequence[str]) -> int:
    return sum(
        int(line.split()[1]) for pid in pids for line in Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()
        if line.startswith("Pss:")
    )
