"""What people are told when something was killed because a container's memory was full."""

from __future__ import annotations

from deployd.release.ports import Host

KILLED = 137
"""128 + SIGKILL, as shells count. Of a container that has ended not every Docker says why it was sent."""


async def memory_full(host: Host, container: str, status: int, megabytes: int) -> str:
    """To be added to what went wrong; empty when memory was not the reason.

    Args:
        status: How the script ended that ran in the container.
    """
    if await host.engine.ran_out_of_memory(container):
        return f"; its memory ({megabytes} MB) was full, and the kernel killed something in it"
    return f"; it was killed, most likely because its memory ({megabytes} MB) was full" if status == KILLED else ""


def hint_memory(hint: str, full: str, how: str) -> str:
    """
    Args:
        hint: What to do otherwise.
        full: As `memory_full` gives it.
        how: Where more memory is given.
    """
    return f"have it use less memory, or give it more: {how}" if full else hint
