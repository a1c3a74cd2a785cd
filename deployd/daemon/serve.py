"""The process: settings in, signals, and a reload: all is closed and opened again but what `lasting.py` holds."""

from __future__ import annotations

import asyncio
import os
import signal
from contextlib import AsyncExitStack
from pathlib import Path
from typing import ClassVar

import structlog
import uvloop

from deployd.activity.error_boundary import ErrorBoundary
from deployd.catalogue import load_catalogue
from deployd.daemon.edges import FolderUnusable, host_of, open_edges
from deployd.daemon.faces import refuse_taken_port
from deployd.daemon.lasting import Lasting
from deployd.daemon.work import RELOAD, STOP, work
from deployd.errors import DeployError
from deployd.operator_log import configure_log
from deployd.settings import Settings, load_settings

log = structlog.get_logger()

NO_ROOM = "No space left on device"
CONTAINERS_MAY_READ = 0o022
"""umask: users of containers read what is written for them. Secrets lie below folders that only root may enter."""


class NotRoot(DeployError):
    """The daemon was started by an ordinary user."""

    code: ClassVar[str] = "not-root"


def serve(settings_file: Path) -> None:
    """Run the daemon until SIGTERM or SIGINT. SIGHUP reads the settings again, with the same sockets and connections.

    Raises:
        DeployError: It cannot start; the error says why and what to do.
    """
    read = Read(load_settings(settings_file), settings_file)
    if os.geteuid() != 0:
        raise NotRoot("deployd needs root: it mounts slugs and gives folders to users of containers",
                      mend="start it with systemd or sudo")
    configure_log()
    os.umask(CONTAINERS_MAY_READ)
    try:
        with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
            runner.run(run_daemon(read))
    except OSError as error:
        if NO_ROOM not in str(error):
            raise
        raise FolderUnusable(
            f"the disk of {read.settings.state} or of {read.settings.run} is full",
            mend="make room on it; environments that are live go on meanwhile",
        ) from None


class Read:
    """The settings that were read."""

    def __init__(self, settings: Settings, file: Path) -> None:
        """
        Raises:
            DeployError: The catalogue that they name cannot be read.
        """
        self.settings, self.file = settings, file
        self.catalogue = load_catalogue(settings.catalogue_path)


async def run_daemon(read: Read) -> None:
    """Open, serve, close; and, when the settings are read again, once more.

    Settings with which the daemon does not get ready are refused like those that are not valid: it goes on with those
    from before, and says so.
    """
    wishes: asyncio.Queue[str] = asyncio.Queue(maxsize=100)
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, wishes.put_nowait, STOP)
    loop.add_signal_handler(signal.SIGHUP, wishes.put_nowait, RELOAD)
    lasting = Lasting()
    now: Read | None = read
    earlier: Read | None = None
    try:
        while now is not None:
            try:
                now, earlier = await _serve_with(now, lasting, wishes), now
            except DeployError as error:
                if lasting.is_ready or earlier is None:
                    raise
                _refuse(lasting, error)
                await lasting.faces.hold()
                now, earlier = earlier, None
    finally:
        await lasting.faces.close()
        await lasting.postman.end()


async def _serve_with(read: Read, lasting: Lasting, wishes: asyncio.Queue[str]) -> Read | None:
    """What was read anew; None: the daemon stops."""
    lasting.is_ready, wanted = False, [read]

    async def next_wish() -> str:
        return await _next_wish(wishes, wanted, lasting)

    async with AsyncExitStack() as stack:
        edges = await open_edges(stack, read.settings, read.catalogue, lasting)
        host = await host_of(edges, read.settings, read.catalogue)
        wish = await work(stack, edges, host, lasting, next_wish)
    log.info("daemon_stopped", wish=wish)
    return wanted[-1] if wish == RELOAD else None


async def _next_wish(wishes: asyncio.Queue[str], wanted: list[Read], lasting: Lasting) -> str:
    """A stop, or a reload with settings that are valid: others are told and change nothing."""
    while True:
        wish = await wishes.get()
        if wish == STOP:
            return wish
        with ErrorBoundary("signals").contain("reading the settings again") as tried:
            read = await asyncio.to_thread(lambda: Read(load_settings(wanted[0].file), wanted[0].file))
            if read.settings.listen_address != wanted[0].settings.listen_address:
                await asyncio.to_thread(refuse_taken_port, read.settings)
            wanted.append(read)
        if tried.error is None:
            lasting.refused = None
            return wish
        _refuse(lasting, tried.error)


def _refuse(lasting: Lasting, error: DeployError) -> None:
    lasting.refused = (lasting.clock.now(), error)
    log.error("reload_refused", what=error.what, where=error.where, evidence=error.evidence)
