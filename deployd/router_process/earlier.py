"""The router that another one has taken over from: it stops listening, ends what it has, and is removed."""

from __future__ import annotations

import asyncio
import shutil

import structlog

from deployd.engine.engine import Engine
from deployd.errors import DeployError
from deployd.router.control import Router
from deployd.router.paths import SEATS, RouterPlaces
from deployd.router_process.container import STOP_SECONDS, WantedRouter
from deployd.router_process.files import RouterNotConfigured
from deployd.router_process.running import RouterProcess, Seated
from deployd.router_process.upgrade import ensure_router

log = structlog.get_logger()

LOOK_SECONDS = 5.0
SURE_SECONDS = 1.0
"""After the earlier router was told to stop listening: until then its workers may not yet be known as ending."""
WORKERS_END = 'grep -ls "[w]orker process is shutting down" /proc/[0-9]*/cmdline'
"""The brackets keep the command from finding itself."""
FOUND_OR_NOT = (0, 1, 2)
"""Statuses of grep; 2: a process was gone before it was read."""


async def end_earlier(engine: Engine, router: Router, wanted: WantedRouter) -> bool:
    """Bring the router that another one took over from a step nearer to its end. Returns whether there is none."""
    process = RouterProcess(engine, router, wanted)
    seen = await process.look(process.earlier)
    if seen is None:   # nearly always
        await asyncio.to_thread(wanted.places(SEATS[0]).earlier.unlink, missing_ok=True)
        return True
    try:
        if seen.serves and not await _has_ended(process, seen):
            return False
    except RouterNotConfigured as error:   # its nginx is too old for our file
        log.warning("earlier_router_cut_off", what=error.what, evidence=error.evidence)
    await _forget(process, seen)
    log.info("earlier_router_ended")
    return True


async def end_earlier_ones(engine: Engine, router: Router, wanted: WantedRouter, *, upgrade_waits: bool) -> None:
    """`end_earlier`, for ever; then the upgrade that had to wait for it."""
    while True:
        try:
            if await end_earlier(engine, router, wanted) and upgrade_waits:
                upgrade_waits = False
                await ensure_router(engine, router, wanted)
        except DeployError as error:   # tried again; what it still has is not cut off for that
            log.warning("earlier_router_not_ended", what=error.what, evidence=error.evidence)
        await asyncio.sleep(LOOK_SECONDS)


async def _has_ended(process: RouterProcess, seen: Seated) -> bool:
    """Let the earlier router stop listening, and say whether it has nothing left to end.

    Its control socket answers on, so that changes reach who is held by it.
    """
    name, places = process.earlier, seen.places
    if await process.has_visitors(seen):
        await process.router.leave(on=True)
        await asyncio.sleep(process.wanted.goodbye_seconds)
        now = await process.look(name)
        if now is not None and now.serves and now.places == places:   # nobody went back to it meanwhile
            await process.reload(name, places, await process.without_visitors(places))
        return False
    await asyncio.sleep(SURE_SECONDS)
    ran = await process.engine.execute(name, ("sh", "-c", WORKERS_END))
    return ran.status in FOUND_OR_NOT and not ran.stdout.strip()


async def _forget(process: RouterProcess, seen: Seated) -> None:
    await process.engine.ensure_container_gone(process.earlier, stop_seconds=STOP_SECONDS)
    await asyncio.to_thread(seen.places.earlier.unlink, missing_ok=True)
    await asyncio.to_thread(_clear_seat, seen.places)


def _clear_seat(places: RouterPlaces) -> None:
    """Remove what a router left, unless its seat is that of the one that serves."""
    if places.socket.is_symlink() and places.socket.readlink().name == places.own_socket.name:
        return
    shutil.rmtree(places.own, ignore_errors=True)
    places.own_socket.unlink(missing_ok=True)
