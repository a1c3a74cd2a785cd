"""The process: settings in, signals, a reload that is this program started again in its place."""

from __future__ import annotations

import asyncio
import os
import signal
import sys
from contextlib import AsyncExitStack
from functools import partial
from pathlib import Path
from typing import ClassVar

import structlog
import uvloop

from deployd.activity.net import Net
from deployd.catalogue import Catalogue, load_catalogue
from deployd.daemon.edges import FolderUnusable, host_of, open_edges
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
    """Run the daemon until SIGTERM or SIGINT. SIGHUP reads the settings again: it ends like a stop and starts anew.

    Raises:
        DeployError: It cannot start; the error says why and what to do.
    """
    settings = load_settings(settings_file)
    catalogue = load_catalogue(settings.catalogue_path)
    if os.geteuid() != 0:
        raise NotRoot("deployd needs root: it mounts slugs and gives folders to users of containers",
                      mend="start it with systemd or sudo")
    configure_log()
    os.umask(CONTAINERS_MAY_READ)
    try:
        with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
            wish = runner.run(run_daemon(settings, catalogue, settings_file))
    except OSError as error:
        if NO_ROOM not in str(error):
            raise
        raise FolderUnusable(
            f"the disk of {settings.state} or of {settings.run} is full",
            mend="make room on it; environments that are live go on meanwhile",
        ) from None
    if wish == RELOAD:
        os.execv(sys.executable, [sys.executable, "-m", "deployd", *sys.argv[1:]])


async def run_daemon(settings: Settings, catalogue: Catalogue, settings_file: Path) -> str:
    """Open, serve, close. Returns STOP or RELOAD."""
    wishes: asyncio.Queue[str] = asyncio.Queue(maxsize=100)
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, wishes.put_nowait, STOP)
    loop.add_signal_handler(signal.SIGHUP, wishes.put_nowait, RELOAD)
    async with AsyncExitStack() as stack:
        edges = await open_edges(stack, settings, catalogue)
        host = await host_of(edges, settings, catalogue)
        wish = await work(stack, edges, host, partial(_next_wish, wishes, settings_file, Net("signals")))
    log.info("daemon_stopped", wish=wish)
    return wish


async def _next_wish(wishes: asyncio.Queue[str], settings_file: Path, net: Net) -> str:
    """A stop, or a reload with settings that are valid: others are told and change nothing."""
    while True:
        wish = await wishes.get()
        if wish == STOP:
            return wish
        with net.contain("reading the settings again") as tried:
            load_catalogue((await asyncio.to_thread(load_settings, settings_file)).catalogue_path)
        if tried.error is None:
            return wish
        log.error("reload_refused", what=tried.error.what, where=tried.error.where, evidence=tried.error.evidence)
