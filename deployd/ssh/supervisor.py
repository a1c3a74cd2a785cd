"""Has a `deployd-ssh` run where systemd does not: it outlives the daemon, and is found again.

    lock is free ──► start one ──► it comes to the link
    lock is taken ─► one is there already, of the daemon before: it comes by itself
"""

from __future__ import annotations

import asyncio
import fcntl
import os
import sys
from collections.abc import Callable
from pathlib import Path

import structlog

import deployd
from deployd.process import start_detached
from deployd.ssh.places import LAST_WORDS, LOCK

log = structlog.get_logger()

LOOK_SECONDS = 0.5
START_SECONDS = 10.0
"""From its start, or from ours, until it has come to the link."""
LOCK_SECONDS = 3.0
"""From its start until it has the lock, on a host that is busy. A second one that is started ends at once."""
LONGEST_PAUSE_SECONDS = 60.0
WORDS, WORDS_BYTES = 5, 4_000


class SshSupervisor:
    def __init__(self, folder: Path, is_connected: Callable[[], bool], *, wanted: bool, by_systemd: bool) -> None:
        """
        Args:
            folder: Of the link, made already.
            wanted: Whether the settings want anybody to listen.
            by_systemd: A unit of its own runs it.
        """
        self._folder = folder
        self._is_connected = is_connected
        self._wanted = wanted
        self._by_systemd = by_systemd
        self._trouble = ""

    def troubles(self) -> tuple[str, ...]:
        """Why nobody is served, one sentence."""
        return (self._trouble,) if self._trouble else ()

    async def serve(self) -> None:
        if not self._wanted:
            await asyncio.Event().wait()
        loop = asyncio.get_running_loop()
        last, pause = loop.time(), 0.0
        while True:
            if self._is_connected():
                last, pause, self._trouble = loop.time(), 0.0, ""
            elif not self._by_systemd and await asyncio.to_thread(_is_free, self._folder / LOCK):
                await asyncio.sleep(pause)   # one that ends at once is not started without end
                pause = min(max(1.0, pause * 2), LONGEST_PAUSE_SECONDS)
                await self._start()
                last = await self._wait_for_it() or last
            if loop.time() - last > START_SECONDS:
                self._trouble = await asyncio.to_thread(self._why)
            await asyncio.sleep(LOOK_SECONDS)

    async def _start(self) -> None:
        await start_detached(
            sys.executable, "-s", "-m", "deployd.ssh", str(self._folder), stderr=self._folder / LAST_WORDS,
            env={"PATH": os.defpath, "LC_ALL": "C.UTF-8", "PYTHONPATH": str(Path(deployd.__path__[0]).parent)},
        )
        log.info("ssh_started")

    async def _wait_for_it(self) -> float | None:
        """When it came to the link; None: it ended, or is not in time."""
        loop = asyncio.get_running_loop()
        began = loop.time()
        while (waited := loop.time() - began) < START_SECONDS:
            if self._is_connected():
                return loop.time()
            if waited > LOCK_SECONDS and await asyncio.to_thread(_is_free, self._folder / LOCK):
                break
            await asyncio.sleep(0.05)
        return None

    def _why(self) -> str:
        if self._by_systemd:
            return "nobody listens for SSH: deployd-ssh does not run; hint: systemctl enable --now deployd-ssh"
        words = _last_lines(self._folder / LAST_WORDS)
        said = f": {' '.join(words)[-500:]}" if words else ""
        return f"nobody listens for SSH: deployd-ssh does not come to the daemon{said}"


def _last_lines(path: Path) -> list[str]:
    """The file is root's, but the process writes what and as much as it likes."""
    try:
        with path.open("rb") as file:
            file.seek(max(0, file.seek(0, os.SEEK_END) - WORDS_BYTES))
            return file.read(WORDS_BYTES).decode(errors="replace").splitlines()[-WORDS:]
    except OSError:
        return []


def _is_free(lock: Path) -> bool:
    """Whether no `deployd-ssh` runs."""
    number = os.open(lock, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
    try:
        fcntl.flock(number, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    finally:
        os.close(number)
    return True
