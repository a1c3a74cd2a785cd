"""How the router comes to run: started, reloaded after a test, or taken over from, so that nobody is refused.

    nothing runs ─────────────────────► start
    it runs as wanted ────────────────► nothing, or a reload when only its configuration differs
    it runs and is made of other parts: a new image, a new version of deployd
        rename it to …-earlier ─► start the new one beside it ─► it takes the sockets and all that is known over
        ─► the earlier one says goodbye with each answer (`Connection: close`) ─► after some seconds it stops listening,
        and ends what it has: answers, uploads, WebSockets, requests that are held
        ─► when nothing is left (ten minutes at most) it is removed

While both are there, every change is told to both (`control.py`): who is held by the earlier one is released by the
same switch. Each step can be interrupted and is gone on with at the next start, from what is there. A router that does
not come up is removed, and the earlier one goes on.
"""

from __future__ import annotations

import asyncio
import shutil
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import ClassVar, Protocol

import structlog

from deployd.engine.names import DIGEST, PART
from deployd.engine.specs import ContainerSpec
from deployd.errors import DeployError
from deployd.router.container import STOP_SECONDS, earlier_name, router_container, router_name
from deployd.router.control import Router, RouterAbsent, RouterUnanswered
from deployd.router.files import RouterNotConfigured, lead, use, write_router_files
from deployd.router.places import SEATS, RouterPlaces
from deployd.router.render_nginx import RouterConfig

log = structlog.get_logger()

START_SECONDS = 15.0
MOST_STARTS = 3
SEE_ITS_LOG = "docker logs --tail 20 of its container says why; often a port is taken by another program"
RELOAD_SECONDS = 5.0
"""nginx tries for two and a half to get a port that is taken."""
LOOK_SECONDS = 5.0
GOODBYE_SECONDS = 5.0
"""Who uses a connection more often is told that it ends. What has been idle for longer is closed in silence."""
SURE_SECONDS = 1.0
"""After the earlier router was told to stop listening: until then its workers may not yet be known as ending."""
WORKERS_END = 'grep -ls "[w]orker process is shutting down" /proc/[0-9]*/cmdline'
"""The brackets keep the command from finding itself."""


class RouterNotUpgraded(RouterNotConfigured):
    """A new router did not come up beside the one that runs, which goes on."""

    code: ClassVar[str] = "router-not-upgraded"


class Container(Protocol):
    """What the Engine tells of a container."""

    @property
    def running(self) -> bool: ...
    @property
    def labels(self) -> Mapping[str, str]: ...
    @property
    def restarts(self) -> int: ...


class Ran(Protocol):
    """How a command in a container ended."""

    @property
    def status(self) -> int: ...
    @property
    def stdout(self) -> bytes: ...
    @property
    def stderr(self) -> bytes: ...


class Engine(Protocol):
    """The calls of the Engine that the router needs."""

    async def container(self, name: str, /) -> Container | None: ...
    async def ensure_container(self, spec: ContainerSpec, /) -> object: ...
    async def ensure_container_gone(self, name: str, /, *, stop_seconds: int) -> None: ...
    async def ensure_renamed(self, name: str, to: str, /) -> None: ...
    async def execute(self, name: str, command: Sequence[str], /) -> Ran: ...
    async def send_signal(self, name: str, signal: str, /) -> None: ...
    async def last_lines(self, name: str, count: int, /) -> tuple[str, ...]: ...


@dataclass(frozen=True, slots=True)
class WantedRouter:
    """The router as the settings and this version of deployd want it."""

    instance: str
    image: str
    image_id: str
    run: Path
    source: Path
    """config/router of the program."""
    config: RouterConfig
    certificates: Path | None = None
    goodbye_seconds: float = GOODBYE_SECONDS

    def places(self, seat: str) -> RouterPlaces:
        return RouterPlaces(self.run, seat)

    def container(self, seat: str) -> ContainerSpec:
        return router_container(self.instance, self.image, self.image_id, self.places(seat), self.certificates)

    @property
    def digest(self) -> str:
        return self.container(SEATS[0]).labels[DIGEST]


async def ensure_router(engine: Engine, router: Router, wanted: WantedRouter) -> None:
    """Let the router run as it is wanted; answers when its control socket does.

    Raises:
        RouterNotConfigured: nginx does not accept the configuration, or the new router did not come up. The one that
            ran goes on as it was.
        RouterAbsent: None ran, and the new one did not come up.
    """
    name, earlier = router_name(wanted.instance), earlier_name(wanted.instance)
    there, beside = await engine.container(name), await engine.container(earlier)
    if there is not None and _serves(there) and there.labels.get(DIGEST) != wanted.digest:
        await engine.ensure_container_gone(earlier, stop_seconds=0)   # what an upgrade shortly before left to end
        await engine.ensure_renamed(name, earlier)
        there, beside = None, there
    if there is not None and not _serves(there):
        await engine.ensure_container_gone(name, stop_seconds=0)
        there = None
    before = wanted.places(beside.labels[PART]) if beside is not None and _serves(beside) else None
    try:
        if there is not None:
            await _go_on(engine, router, wanted, wanted.places(there.labels[PART]))
        else:
            await _start(engine, router, wanted, before)
    except RouterAbsent as error:
        if before is None or not await asyncio.to_thread(_listens, before, wanted):
            raise
        raise await _go_back(engine, wanted, before) from error
    await router.leave()


async def end_earlier(engine: Engine, router: Router, wanted: WantedRouter) -> bool:
    """Bring the router that another one took over from a step nearer to its end. Returns whether there is none."""
    there = await engine.container(earlier_name(wanted.instance))
    try:
        if there is not None and _serves(there) and not await _has_ended(engine, router, wanted, there):
            return False
    except DeployError as error:   # it does not run any more, or its nginx is too old for our file
        log.warning("earlier_router_cut_off", what=error.what, evidence=error.evidence)
    await _forget_earlier(engine, wanted, there)
    if there is not None:
        log.info("earlier_router_ended")
    return True


async def end_earlier_ones(engine: Engine, router: Router, wanted: WantedRouter) -> None:
    """`end_earlier`, for ever."""
    while True:
        await end_earlier(engine, router, wanted)
        await asyncio.sleep(LOOK_SECONDS)


async def reopen_access_log(engine: Engine, instance: str) -> None:
    """Let nginx write its access log into a new file.

    Raises:
        DeployError: It does not run.
    """
    await engine.send_signal(router_name(instance), "USR1")
    there = await engine.container(earlier_name(instance))
    if there is not None and there.running:
        await engine.send_signal(earlier_name(instance), "USR1")


def _serves(container: Container) -> bool:
    """Whether it runs and is of a kind that can hand over."""
    return container.running and container.labels.get(PART) in SEATS


async def _go_on(engine: Engine, router: Router, wanted: WantedRouter, places: RouterPlaces) -> None:
    await asyncio.to_thread(lead, places.socket, places.own_socket.name)
    before = await asyncio.to_thread(places.current.resolve)
    folder = await _ensure_configured(engine, router_name(wanted.instance), wanted, places)
    if not await _runs_with(router, folder):
        await asyncio.to_thread(use, places, before)
        raise RouterNotConfigured(
            "nginx cannot begin with the router's new configuration; the one before stays in use",
            where=router_name(wanted.instance), evidence=await engine.last_lines(router_name(wanted.instance), 5),
            mend="often another program has the port: stop it, or choose another with router.http_port",
        )


async def _start(engine: Engine, router: Router, wanted: WantedRouter, before: RouterPlaces | None) -> None:
    """Start a router, beside the one from which it takes over if there is one."""
    places = before.other if before is not None else wanted.places(SEATS[0])
    folder = await asyncio.to_thread(write_router_files, wanted.source, places, wanted.config)
    await asyncio.to_thread(use, places, folder)
    if before is not None:
        await asyncio.to_thread(lead, before.earlier, before.own_socket.name)
    await asyncio.to_thread(lead, places.socket, places.own_socket.name)
    await engine.ensure_container(wanted.container(places.seat))
    await _wait_until_listening(router, partial(_is_coming_up, engine, router_name(wanted.instance)))
    if before is not None:
        log.info("router_taken_over", image=wanted.image, seat=places.seat)


async def _go_back(engine: Engine, wanted: WantedRouter, before: RouterPlaces) -> RouterNotUpgraded:
    """Remove a router that did not come up: the one before goes on. Gives the error that says so."""
    name = router_name(wanted.instance)
    lines = await engine.last_lines(name, 5)
    await engine.ensure_container_gone(name, stop_seconds=0)
    await engine.ensure_renamed(earlier_name(wanted.instance), name)
    await asyncio.to_thread(lead, before.socket, before.own_socket.name)
    await asyncio.to_thread(before.earlier.unlink, missing_ok=True)
    why = f" ({lines[-1]})" if lines else ""
    return RouterNotUpgraded(
        f"a router of the image {wanted.image} did not start{why}; the one before goes on", where=name, evidence=lines,
        mend="look at the lines above and at `router` in the catalogue, and reload deployd",
    )


async def _has_ended(engine: Engine, router: Router, wanted: WantedRouter, earlier: Container) -> bool:
    """Let the earlier router stop listening, and say whether it has nothing left to end.

    Its control socket answers on, so that changes reach who is held by it.
    """
    name, places = earlier_name(wanted.instance), wanted.places(earlier.labels[PART])
    if await asyncio.to_thread(_listens, places, wanted):
        await router.leave()
        await asyncio.sleep(wanted.goodbye_seconds)
        await _ensure_configured(engine, name, _without_visitors(wanted), places)
        return False
    await asyncio.sleep(SURE_SECONDS)
    return not (await engine.execute(name, ("sh", "-c", WORKERS_END))).stdout.strip()


def _without_visitors(wanted: WantedRouter) -> WantedRouter:
    return replace(wanted, config=replace(wanted.config, visitors=False))


def _listens(places: RouterPlaces, wanted: WantedRouter) -> bool:
    return places.current.resolve() != write_router_files(wanted.source, places, _without_visitors(wanted).config)


async def _ensure_configured(engine: Engine, name: str, wanted: WantedRouter, places: RouterPlaces) -> Path:
    """Reload a running router when its configuration is another one than wanted, after nginx itself has tested it.

    Gives the folder of the wanted one.
    """
    folder = await asyncio.to_thread(write_router_files, wanted.source, places, wanted.config)
    if places.current.resolve() == folder:
        return folder
    ran = await engine.execute(name, ("nginx", "-t", "-q", "-c", str(folder / "nginx.conf")))
    if ran.status != 0:
        raise RouterNotConfigured(
            "nginx does not accept the router's configuration; the one before stays in use",
            where=name, evidence=tuple((ran.stderr or ran.stdout).decode(errors="replace").splitlines()[-10:]),
            mend="correct the router's settings; the lines above say what nginx does not like",
        )
    await asyncio.to_thread(use, places, folder)
    await engine.send_signal(name, "HUP")
    return folder


async def _runs_with(router: Router, folder: Path) -> bool:
    """Whether nginx runs with a configuration, or comes to it: a port that is taken shows only when it begins."""
    await _wait_until_listening(router)
    try:
        async with asyncio.timeout(RELOAD_SECONDS):
            while (await router.status(environments=False)).configuration != str(folder):   # noqa: ASYNC110
                await asyncio.sleep(0.05)
    except TimeoutError:
        return False
    return True


async def _is_coming_up(engine: Engine, name: str) -> bool:
    """False for one that Docker starts again and again."""
    there = await engine.container(name)
    return there is not None and there.running and there.restarts < MOST_STARTS


async def _wait_until_listening(router: Router, is_coming_up: Callable[[], Awaitable[bool]] | None = None) -> None:
    try:
        async with asyncio.timeout(START_SECONDS):
            while not await _listens_now(router):
                if is_coming_up is not None and not await is_coming_up():
                    raise RouterAbsent("the router ended several times before it listened", mend=SEE_ITS_LOG)
                await asyncio.sleep(0.05)
    except TimeoutError:
        raise RouterAbsent(f"the router did not start within {START_SECONDS:.0f} s", mend=SEE_ITS_LOG) from None


async def _listens_now(router: Router) -> bool:
    try:
        await router.status(environments=False)
    except (RouterAbsent, RouterUnanswered):
        return False
    return True


async def _forget_earlier(engine: Engine, wanted: WantedRouter, there: Container | None) -> None:
    if there is not None:
        await engine.ensure_container_gone(earlier_name(wanted.instance), stop_seconds=STOP_SECONDS)
    places = wanted.places(SEATS[0])
    await asyncio.to_thread(places.earlier.unlink, missing_ok=True)
    if there is not None and there.labels.get(PART) in SEATS:
        gone = replace(places, seat=there.labels[PART])
        await asyncio.to_thread(shutil.rmtree, gone.own, ignore_errors=True)
        await asyncio.to_thread(gone.own_socket.unlink, missing_ok=True)
