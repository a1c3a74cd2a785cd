"""The process: settings in, signals, and a reload: all is closed and opened again but what `process_state.py` holds."""

from __future__ import annotations

import asyncio
import os
import signal
from concurrent.futures import ThreadPoolExecutor
from contextlib import AsyncExitStack
from functools import partial
from pathlib import Path
from typing import ClassVar

import structlog
import uvloop

from deployd.activity.error_boundary import ErrorBoundary
from deployd.catalogue import load_catalogue
from deployd.daemon.composition import compose
from deployd.daemon.listeners import refuse_taken_port
from deployd.daemon.process_state import ProcessState
from deployd.daemon.resources import FolderUnusable, open_resources
from deployd.daemon.run import RELOAD, STOP, run
from deployd.errors import DeployError
from deployd.operator_log import configure_log
from deployd.project.offered.services import versions_offered
from deployd.settings import Settings, load_settings

log = structlog.get_logger()

THREADS = 16
"""For what waits for a disk. By itself Python takes four more than there are processors; then who reads what a hook
prints stands behind ten deployments that unpack and mount."""
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
    read = ReadSettings(load_settings(settings_file), settings_file)
    if os.geteuid() != 0:
        raise NotRoot("deployd needs root: it mounts slugs and gives folders to users of containers",
                      hint="start it with systemd or sudo")
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
            hint="make room on it; environments that are live go on meanwhile",
        ) from None


class ReadSettings:
    """The settings that were read."""

    def __init__(self, settings: Settings, file: Path) -> None:
        """
        Raises:
            DeployError: The catalogue that they name cannot be read.
        """
        self.settings, self.file = settings, file
        official = versions_offered() if settings.official_images else None
        self.catalogue = load_catalogue(settings.catalogue_path, official=official)


async def run_daemon(read: ReadSettings) -> None:
    """Open, serve, close; and, when the settings are read again, once more.

    Settings with which the daemon does not get ready are refused like those that are not valid: it goes on with those
    from before, and says so.
    """
    orders: asyncio.Queue[str] = asyncio.Queue(maxsize=100)
    loop = asyncio.get_running_loop()
    loop.set_default_executor(ThreadPoolExecutor(THREADS, thread_name_prefix="work"))
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, orders.put_nowait, STOP)
    loop.add_signal_handler(signal.SIGHUP, orders.put_nowait, RELOAD)
    process = ProcessState()
    now: ReadSettings | None = read
    earlier: ReadSettings | None = None
    try:
        while now is not None:
            try:
                now, earlier = await _serve_with(now, process, orders), now
            except DeployError as error:
                if process.is_ready or earlier is None:
                    raise
                _refuse(process, error)
                process.ssh.hold()
                await process.listeners.hold()
                now, earlier = earlier, None
    finally:
        await process.listeners.close()
        await process.ssh.close()
        await process.mail_server.end()


async def _serve_with(read: ReadSettings, process: ProcessState, orders: asyncio.Queue[str]) -> ReadSettings | None:
    """What was read anew; None: the daemon stops."""
    process.is_ready = False
    async with AsyncExitStack() as stack:
        resources = await open_resources(stack, read.settings, read.catalogue, process)
        daemon = compose(resources, read.settings, read.catalogue, process)
        anew = await run(stack, daemon, partial(_next_settings, read, process, orders))
    log.info("daemon_stopped", wish=STOP if anew is None else RELOAD)
    return anew


async def _next_settings(
    now: ReadSettings, process: ProcessState, orders: asyncio.Queue[str],
) -> ReadSettings | None:
    """Settings to go on with, when a reload is asked for; None: a stop is. Those that are not valid change nothing."""
    while await orders.get() == RELOAD:
        with ErrorBoundary("signals").contain("reading the settings again") as tried:
            anew = await asyncio.to_thread(lambda: ReadSettings(load_settings(now.file), now.file))
            if anew.settings.listen_address != now.settings.listen_address:
                await asyncio.to_thread(refuse_taken_port, anew.settings)
        if tried.error is None:
            process.refused = None
            return anew
        _refuse(process, tried.error)
    return None


def _refuse(process: ProcessState, error: DeployError) -> None:
    process.refused = (process.clock.now(), error)
    log.error("reload_refused", what=error.what, where=error.where, evidence=error.evidence)
