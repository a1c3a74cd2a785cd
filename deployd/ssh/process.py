"""The process `deployd-ssh`: takes its lock, gives up root, asks the daemon how it is to listen, and serves.

It outlives the daemon. Without systemd it ends by itself when there is nothing left to be there for: its folder is
gone, or for a while there has been neither a daemon nor a connection.
"""

from __future__ import annotations

import asyncio
import fcntl
import importlib
import logging
import os
import signal
import sys
import time
from contextlib import suppress
from pathlib import Path

import structlog
import uvloop

from deployd.operator_log import configure_log
from deployd.ssh.attendant import Attendant
from deployd.ssh.configuration import SshConfiguration, read_configuration
from deployd.ssh.daemon_link import DaemonLink
from deployd.ssh.dispatch import Dispatch
from deployd.ssh.environments import Environments
from deployd.ssh.git_sessions import GitSessions
from deployd.ssh.link import Values
from deployd.ssh.listener import Listener
from deployd.ssh.places import LOCK, SOCKET, SSH_UID
from deployd.ssh.ports import EnvironmentSessions
from deployd.ssh.server import Door, Server
from deployd.systemd import notify
from deployd.unprivileged import become

log = structlog.get_logger()

MOST_DESCRIPTORS = 16_384
MEMORY_BYTES = 4_000_000_000
POLITE = 2
FOLDER_SECONDS = 0.5
ALONE_SECONDS = 120.0
"""Without a daemon and without connections."""
NEEDED_LATER = ("concurrent.futures.thread", "encodings.idna", "traceback", "linecache")
"""Modules that are loaded when they are needed; a process that has given up root may not be able to read them."""
NO_HOME = "/nonexistent"
"""asyncssh looks for files of a user; this one has none."""
DRAIN_SECONDS = 3600.0
LEAVE_SECONDS = 2.0
IS_THERE = 75
"""Exit status: another one has the lock (EX_TEMPFAIL of sysexits.h)."""


class SshProcess:
    """All of it, once root is given up."""

    def __init__(self, lock: int, *, stays: bool) -> None:
        """
        Args:
            lock: That there is one of us; given up when another one may take our place.
            stays: Somebody else (systemd) says when it is to end.
        """
        self._lock = lock
        self._stays = stays
        self._link = DaemonLink(SOCKET, self._welcome, goes_on=self._goes_on)
        self._door = Door(self._link, Dispatch(GitSessions(self._link).serve, self._environments()))
        self._listener = Listener(lambda: Server(self._door))
        self._attendant = Attendant(self._link, self._door)
        self._wanted = True
        self._alone_since = time.monotonic()
        self._stop = asyncio.Event()

    def _environments(self) -> EnvironmentSessions:
        return Environments(self._link)

    async def serve(self) -> None:
        """Until it is told to stop, or there is nothing left to be there for."""
        loop = asyncio.get_running_loop()
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, self._stop.set)
        async with asyncio.TaskGroup() as group:
            attending = group.create_task(self._attendant.serve(), name="attendant")
            linked = group.create_task(self._linked(), name="link")
            stopping = group.create_task(self._stop.wait(), name="stop")
            await asyncio.wait((linked, stopping), return_when=asyncio.FIRST_COMPLETED)
            notify("STOPPING=1")
            await self._listener.close()
            await self._leave()
            for task in (attending, linked, stopping):
                task.cancel()

    async def _linked(self) -> None:
        """As long as there is a daemon that wants this process; then until its connections have ended."""
        await self._link.serve()
        await self._listener.close()
        os.close(self._lock)
        log.info("ssh_drains", connections=self._door.connections.known)
        with suppress(TimeoutError):
            async with asyncio.timeout(DRAIN_SECONDS):
                while self._door.connections.known:   # noqa: ASYNC110  asyncssh tells nobody
                    await asyncio.sleep(0.5)

    async def _welcome(self, values: Values) -> None:
        configuration: SshConfiguration = read_configuration(values)
        self._door.connections.bounds = configuration.bounds
        self._attendant.idle_seconds = configuration.idle_seconds
        self._wanted = configuration.port > 0
        await self._listener.be(configuration)
        self._attendant.trouble = self._listener.trouble
        if self._listener.trouble:
            log.error("ssh_does_not_listen", why=self._listener.trouble)
        notify("READY=1", f"STATUS=listening on {configuration.host}:{configuration.port}")

    def _goes_on(self) -> bool:
        """Whether to look for a daemon."""
        now = time.monotonic()
        if os.stat(".").st_nlink == 0:   # somebody has removed the folder: no daemon comes back to it
            return False
        if self._link.is_there or self._door.connections.known:
            self._alone_since = now
        return self._stays or (self._wanted and now - self._alone_since < ALONE_SECONDS)

    async def _leave(self) -> None:
        for server in list(self._door.servers):
            server.disconnect("deployd-ssh is being stopped")
        with suppress(TimeoutError):
            async with asyncio.timeout(LEAVE_SECONDS):
                while self._door.connections.known:   # noqa: ASYNC110  as above
                    await asyncio.sleep(0.02)


def main(folder: Path) -> None:
    """Run until told to stop.

    Args:
        folder: Of the link's socket, which the daemon makes; it is waited for.
    """
    os.environ["HOME"] = NO_HOME
    for name in NEEDED_LATER:
        importlib.import_module(name)
    configure_log()
    logging.getLogger("asyncssh").setLevel(logging.CRITICAL)   # strangers decide how much it says
    while not folder.is_dir():
        time.sleep(FOLDER_SECONDS)
    lock = os.open(folder / LOCK, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        log.error("ssh_runs_already", folder=str(folder))
        sys.exit(IS_THERE)
    os.truncate(lock, 0)
    os.write(lock, str(os.getpid()).encode())   # for people, and for what tidies up
    if os.geteuid() == 0:
        become(SSH_UID, folder, descriptors=MOST_DESCRIPTORS, memory_bytes=MEMORY_BYTES, nice=POLITE)
    else:
        os.chdir(folder)
    stays = "NOTIFY_SOCKET" in os.environ
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(_serve(lock, stays=stays))


async def _serve(lock: int, *, stays: bool) -> None:
    await SshProcess(lock, stays=stays).serve()
