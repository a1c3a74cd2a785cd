"""What systemd wants to know of a service, and what it hands over: sd_notify(3), sd_listen_fds(3).

Both are a socket and two environment variables; without systemd all of it does nothing.
"""

from __future__ import annotations

import asyncio
import os
import socket
from collections.abc import Awaitable, Callable

RELOAD_USEC = 600_000_000
"""Ten minutes, as TimeoutStartSec of the unit."""
FIRST_PASSED = 3
"""Number of the first file descriptor that systemd passes."""


def notify(*states: str) -> None:
    """Tell systemd something: `READY=1`, `STOPPING=1`, `RELOADING=1`, `WATCHDOG=1`, `STATUS=…`."""
    address = os.environ.get("NOTIFY_SOCKET")
    if not address:
        return
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC) as channel:
        channel.connect("\0" + address[1:] if address.startswith("@") else address)
        channel.sendall("\n".join(states).encode())


def ready(status: str) -> None:
    """Say that the daemon is ready, after a start or a reload: from now on the unit's watchdog counts again."""
    watchdog = os.environ.get("WATCHDOG_USEC")
    notify("READY=1", f"STATUS={status}", *((f"WATCHDOG_USEC={watchdog}",) if watchdog else ()))


def reloading() -> None:
    """Say that the settings are read again: that may take long (an image is made), and has no watchdog, as a start."""
    notify("RELOADING=1", *((f"WATCHDOG_USEC={RELOAD_USEC}",) if os.environ.get("WATCHDOG_USEC") else ()))


def is_passed_a_socket() -> bool:
    """Whether deployd.socket passed its listening socket to this process."""
    return os.environ.get("LISTEN_PID") == str(os.getpid()) and int(os.environ.get("LISTEN_FDS", "0")) >= 1


def passed_socket() -> socket.socket | None:
    """The listening socket of deployd.socket; None when nothing was passed. Whoever takes it owns it: ask only once."""
    if not is_passed_a_socket():
        return None
    return socket.socket(fileno=FIRST_PASSED)


async def keep_watchdog_fed(alive: Callable[[], Awaitable[object]]) -> None:
    """Say that the daemon lives, twice in each period that systemd waits.

    Args:
        alive: Asked each time; while it does not answer, systemd is told nothing, and restarts the daemon in the end.
    """
    period = int(os.environ.get("WATCHDOG_USEC", "0")) / 1_000_000
    while True:
        await alive()
        notify("WATCHDOG=1")
        await asyncio.sleep(period / 2 if period else 3600)
