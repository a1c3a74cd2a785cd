"""How the router comes to run: started, reloaded after a test, or taken over from, so that nobody is refused.

    nothing runs ─────────────────────► start
    it runs as wanted ────────────────► nothing, or a reload when only its configuration differs
    it runs and is made of other parts: a new image, a new version of deployd
        rename it to …-earlier ─► start the new one beside it ─► it takes the sockets and all that is known over
        ─► the earlier one says goodbye with each answer (`Connection: close`) ─► after some seconds it stops listening,
        and ends what it has: answers, uploads, WebSockets, requests that are held
        ─► when nothing is left (ten minutes at most) it is removed

While both are there, every change is told to both (`router/control.py`): who is held by the earlier one is released by
the same switch. There are two seats, so a further upgrade waits until the earlier one has ended. Each step can be
interrupted and is gone on with at the next start, from what is there. A router that does not come up is removed, and
the earlier one goes on.
"""

from __future__ import annotations

import asyncio
from contextlib import suppress
from typing import ClassVar

import structlog

from deployd.engine.engine import Containers, Engine
from deployd.errors import DeployError
from deployd.router.control import Router, RouterAbsent
from deployd.router.paths import SEATS, RouterPlaces
from deployd.router_process.container import WantedRouter, earlier_name, router_name
from deployd.router_process.files import RouterNotConfigured, lead, use, write_router_files
from deployd.router_process.running import RouterProcess, Seated

log = structlog.get_logger()


class RouterNotUpgraded(RouterNotConfigured):
    """A new router did not come up beside the one that runs, which goes on."""

    code: ClassVar[str] = "router-not-upgraded"


async def ensure_router(engine: Engine, router: Router, wanted: WantedRouter) -> bool:
    """Let the router run as it is wanted; answers when its control socket does. Other commands wait meanwhile.

    Returns:
        False: it is of an earlier image, and can be taken over from when the one before it has ended.

    Raises:
        RouterNotConfigured: nginx does not accept the configuration, or the new router did not come up. The one that
            ran goes on as it was.
        RouterAbsent: None ran, and the new one did not come up.
    """
    async with router.alone() as alone:
        return await _ensure(RouterProcess(engine, alone, wanted))


async def reopen_access_log(engine: Containers, instance: str) -> None:
    """Let nginx write its access log into a new file.

    Raises:
        DeployError: It does not run.
    """
    await engine.send_signal(router_name(instance), "USR1")
    with suppress(DeployError):   # there is none, or it has just ended
        await engine.send_signal(earlier_name(instance), "USR1")


async def _ensure(process: RouterProcess) -> bool:
    engine, wanted = process.engine, process.wanted
    there, beside = await process.look(process.name), await process.look(process.earlier)
    if beside is not None and not beside.serves:   # after a crash or a reboot it has nothing to end
        await engine.ensure_container_gone(process.earlier, stop_seconds=0)
        beside = None
    if there is not None and there.serves and there.digest != wanted.digest:
        if beside is not None:
            log.info("router_upgrade_waits", image=wanted.image)   # two seats: the third would cut off the first
            await _go_on(process, there.places)
            return False
        await engine.ensure_renamed(process.name, process.earlier)
        there, beside = None, there
    elif there is not None and not there.serves and not await _may_come_up(process, there):
        await engine.ensure_container_gone(process.name, stop_seconds=0)
        there = None
    before = beside.places if beside is not None else None
    try:
        if there is not None:
            await _go_on(process, there.places)
        else:
            await _start(process, before)
    except RouterAbsent as error:
        if beside is not None and await process.has_visitors(beside):
            raise await _go_back(process, beside.places) from error
        if there is None:
            raise
        # Whatever keeps it from starting, a new one has not.
        await engine.ensure_container_gone(process.name, stop_seconds=0)
        await _start(process, before)
    if beside is None:
        await asyncio.to_thread(wanted.places(SEATS[0]).earlier.unlink, missing_ok=True)
    await process.router.leave(on=True)
    return True


async def _may_come_up(process: RouterProcess, there: Seated) -> bool:
    """Whether one that does not answer is only starting."""
    return there.digest == process.wanted.digest and await process.is_coming_up()


async def _go_on(process: RouterProcess, places: RouterPlaces) -> None:
    wanted = process.wanted
    folder = await asyncio.to_thread(write_router_files, wanted.source, places, wanted.config)
    await asyncio.to_thread(lead, places.socket, places.own_socket.name)
    if await process.router.configuration(places) is None:   # it is starting; after a reboot its files may be gone
        await asyncio.to_thread(use, places, folder)
    await process.wait_until_listening()
    await process.router.leave(on=False)
    if await process.router.configuration(places) != str(folder):
        await process.reload(process.name, places, folder)


async def _start(process: RouterProcess, before: RouterPlaces | None) -> None:
    """Start a router, beside the one from which it takes over if there is one."""
    wanted = process.wanted
    places = before.other if before is not None else wanted.places(SEATS[0])
    folder = await asyncio.to_thread(write_router_files, wanted.source, places, wanted.config)
    await asyncio.to_thread(use, places, folder)
    if before is not None:
        await asyncio.to_thread(lead, before.earlier, before.own_socket.name)
    await asyncio.to_thread(lead, places.socket, places.own_socket.name)
    await process.engine.ensure_container(wanted.container(places.seat))
    await process.wait_until_listening()
    if before is not None:
        log.info("router_taken_over", image=wanted.image, seat=places.seat)


async def _go_back(process: RouterProcess, before: RouterPlaces) -> RouterNotUpgraded:
    """Remove a router that did not come up: the one before goes on. Gives the error that says so."""
    engine, name = process.engine, process.name
    lines = await engine.last_lines(name, 5)
    await engine.ensure_container_gone(name, stop_seconds=0)
    await engine.ensure_renamed(process.earlier, name)
    await asyncio.to_thread(lead, before.socket, before.own_socket.name)
    await asyncio.to_thread(before.earlier.unlink, missing_ok=True)
    await process.router.leave(on=False)
    why = f" ({lines[-1]})" if lines else ""
    return RouterNotUpgraded(
        f"a router of the image {process.wanted.image} did not start{why}; the one before goes on", where=name,
        evidence=lines, hint="look at the lines above and at `router` in the catalogue, and reload deployd",
    )
