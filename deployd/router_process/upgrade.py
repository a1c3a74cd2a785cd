"""How the router comes to run: started, reloaded after a test, or taken over from, so that nobody is refused.

    nothing runs ─────────────────────► start
    it runs as wanted ────────────────► nothing, or a reload when only its configuration differs
    it runs and is made of other parts: a new image, a new version of deployd
        rename it to …-earlier ─► start the new one beside it ─► it takes the sockets and all that is known over
        ─► the earlier one says goodbye with each answer (`Connection: close`) ─► after some seconds it stops listening,
        and ends what it has: answers, uploads, WebSockets, requests that are held
        ─► when nothing is left (ten minutes at most) it is removed

While both are there, every change is told to both (`control.py`): who is held by the earlier one is released by the
same switch. There are two seats, so a further upgrade waits until the earlier one has ended. Each step can be
interrupted and is gone on with at the next start, from what is there. A router that does not come up is removed, and
the earlier one goes on.
"""

from __future__ import annotations

import asyncio
import shutil
from collections.abc import Awaitable, Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import ClassVar, Protocol

import structlog

from deployd.engine.names import DIGEST, PART
from deployd.engine.specs import ContainerSpec
from deployd.errors import DeployError
from deployd.router.control import Router, RouterAbsent, RouterUnanswered
from deployd.router.paths import SEATS, RouterPlaces
from deployd.router_process.container import MEMORY_MB, STOP_SECONDS, earlier_name, router_container, router_name
from deployd.router_process.files import RouterNotConfigured, lead, use, write_router_files
from deployd.router_process.nginx_conf import RouterConfig

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
FOUND_OR_NOT = (0, 1, 2)
"""Statuses of grep; 2: a process was gone before it was read."""


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
    memory_mb: int = MEMORY_MB
    goodbye_seconds: float = GOODBYE_SECONDS

    def places(self, seat: str) -> RouterPlaces:
        return RouterPlaces(self.run, seat)

    def container(self, seat: str) -> ContainerSpec:
        return router_container(
            self.instance, self.image, self.image_id, self.places(seat), self.certificates, self.memory_mb,
        )

    @property
    def digest(self) -> str:
        return self.container(SEATS[0]).labels[DIGEST]


@dataclass(frozen=True, slots=True)
class Seated:
    """A router's container, and what its nginx says."""

    container: Container
    places: RouterPlaces
    runs: str | None
    """Folder of the configuration that it runs with; None: nobody answers at its control socket. Docker's word that a
    container runs is not enough: it says so of one that ends and starts again and again."""

    @property
    def serves(self) -> bool:
        return self.runs is not None

    @property
    def digest(self) -> str | None:
        return self.container.labels.get(DIGEST)


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
        return await _ensure(engine, alone, wanted)


async def _ensure(engine: Engine, router: Router, wanted: WantedRouter) -> bool:
    name, earlier = router_name(wanted.instance), earlier_name(wanted.instance)
    there, beside = await _look(engine, router, wanted, name), await _look(engine, router, wanted, earlier)
    if beside is not None and not beside.serves:   # after a crash or a reboot it has nothing to end
        await engine.ensure_container_gone(earlier, stop_seconds=0)
        beside = None
    if there is not None and there.serves and there.digest != wanted.digest:
        if beside is not None:
            log.info("router_upgrade_waits", image=wanted.image)   # two seats: the third would cut off the first
            await _go_on(engine, router, wanted, there.places)
            return False
        await engine.ensure_renamed(name, earlier)
        there, beside = None, there
    elif there is not None and not there.serves and not await _may_come_up(engine, wanted, there):
        await engine.ensure_container_gone(name, stop_seconds=0)
        there = None
    try:
        if there is not None:
            await _go_on(engine, router, wanted, there.places)
        else:
            await _start(engine, router, wanted, beside.places if beside is not None else None)
    except RouterAbsent as error:
        if beside is not None and await _listens(wanted, beside):
            raise await _go_back(engine, router, wanted, beside.places) from error
        if there is None:
            raise
        await engine.ensure_container_gone(name, stop_seconds=0)   # whatever keeps it from starting, a new one has not
        await _start(engine, router, wanted, beside.places if beside is not None else None)
    if beside is None:
        await asyncio.to_thread(wanted.places(SEATS[0]).earlier.unlink, missing_ok=True)
    await router.leave(on=True)
    return True


async def end_earlier(engine: Engine, router: Router, wanted: WantedRouter) -> bool:
    """Bring the router that another one took over from a step nearer to its end. Returns whether there is none."""
    seen = await _look(engine, router, wanted, earlier_name(wanted.instance))
    if seen is None:   # nearly always
        await asyncio.to_thread(wanted.places(SEATS[0]).earlier.unlink, missing_ok=True)
        return True
    try:
        if seen.serves and not await _has_ended(engine, router, wanted, seen):
            return False
    except RouterNotConfigured as error:   # its nginx is too old for our file
        log.warning("earlier_router_cut_off", what=error.what, evidence=error.evidence)
    await _forget_earlier(engine, wanted, seen)
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


async def reopen_access_log(engine: Engine, instance: str) -> None:
    """Let nginx write its access log into a new file.

    Raises:
        DeployError: It does not run.
    """
    await engine.send_signal(router_name(instance), "USR1")
    with suppress(DeployError):   # there is none, or it has just ended
        await engine.send_signal(earlier_name(instance), "USR1")


async def _look(engine: Engine, router: Router, wanted: WantedRouter, name: str) -> Seated | None:
    there = await engine.container(name)
    if there is None:
        return None
    seat = there.labels.get(PART)
    places = wanted.places(seat if seat in SEATS else SEATS[0])
    runs = await router.configuration(places) if there.running and seat in SEATS else None
    return Seated(there, places, runs)


async def _may_come_up(engine: Engine, wanted: WantedRouter, there: Seated) -> bool:
    """Whether one that does not answer is only starting."""
    return there.digest == wanted.digest and await _is_coming_up(engine, router_name(wanted.instance))


async def _go_on(engine: Engine, router: Router, wanted: WantedRouter, places: RouterPlaces) -> None:
    name = router_name(wanted.instance)
    folder = await asyncio.to_thread(write_router_files, wanted.source, places, wanted.config)
    await asyncio.to_thread(lead, places.socket, places.own_socket.name)
    if await router.configuration(places) is None:   # it is starting; after a reboot its files may be gone
        await asyncio.to_thread(use, places, folder)
    await _wait_until_listening(router, partial(_is_coming_up, engine, name))
    await router.leave(on=False)
    if await router.configuration(places) != str(folder):
        await _reload(engine, router, name, places, folder)


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


async def _go_back(
    engine: Engine, router: Router, wanted: WantedRouter, before: RouterPlaces,
) -> RouterNotUpgraded:
    """Remove a router that did not come up: the one before goes on. Gives the error that says so."""
    name = router_name(wanted.instance)
    lines = await engine.last_lines(name, 5)
    await engine.ensure_container_gone(name, stop_seconds=0)
    await engine.ensure_renamed(earlier_name(wanted.instance), name)
    await asyncio.to_thread(lead, before.socket, before.own_socket.name)
    await asyncio.to_thread(before.earlier.unlink, missing_ok=True)
    await router.leave(on=False)
    why = f" ({lines[-1]})" if lines else ""
    return RouterNotUpgraded(
        f"a router of the image {wanted.image} did not start{why}; the one before goes on", where=name, evidence=lines,
        mend="look at the lines above and at `router` in the catalogue, and reload deployd",
    )


async def _has_ended(engine: Engine, router: Router, wanted: WantedRouter, seen: Seated) -> bool:
    """Let the earlier router stop listening, and say whether it has nothing left to end.

    Its control socket answers on, so that changes reach who is held by it.
    """
    name, places = earlier_name(wanted.instance), seen.places
    if await _listens(wanted, seen):
        await router.leave(on=True)
        await asyncio.sleep(wanted.goodbye_seconds)
        now = await _look(engine, router, wanted, name)
        if now is not None and now.serves and now.places == places:   # nobody went back to it meanwhile
            quiet = await asyncio.to_thread(_write_without_visitors, places, wanted)
            await _reload(engine, router, name, places, quiet)
        return False
    await asyncio.sleep(SURE_SECONDS)
    ran = await engine.execute(name, ("sh", "-c", WORKERS_END))
    return ran.status in FOUND_OR_NOT and not ran.stdout.strip()


async def _listens(wanted: WantedRouter, seen: Seated) -> bool:
    """Whether visitors come to it, or it has been told to listen no more."""
    return seen.runs != str(await asyncio.to_thread(_write_without_visitors, seen.places, wanted))


def _write_without_visitors(places: RouterPlaces, wanted: WantedRouter) -> Path:
    return write_router_files(wanted.source, places, replace(wanted.config, visitors=False))


async def _reload(engine: Engine, router: Router, name: str, places: RouterPlaces, folder: Path) -> None:
    """Let a running router take another configuration, after nginx itself has tested it.

    Raises:
        RouterNotConfigured: It does not; the one before stays in use.
    """
    ran = await engine.execute(name, ("nginx", "-t", "-q", "-c", str(folder / "nginx.conf")))
    if ran.status != 0:
        raise RouterNotConfigured(
            "nginx does not accept the router's configuration; the one before stays in use",
            where=name, evidence=tuple((ran.stderr or ran.stdout).decode(errors="replace").splitlines()[-10:]),
            mend="correct the router's settings; the lines above say what nginx does not like",
        )
    before = await asyncio.to_thread(places.current.resolve)
    await asyncio.to_thread(use, places, folder)
    await engine.send_signal(name, "HUP")
    if not await _comes_to(router, places, folder):   # a port that is taken shows only when it begins
        await asyncio.to_thread(use, places, before)
        raise RouterNotConfigured(
            "nginx cannot begin with the router's new configuration; the one before stays in use",
            where=name, evidence=await engine.last_lines(name, 5),
            mend="often another program has the port: stop it, or choose another with router.http_port",
        )


async def _comes_to(router: Router, places: RouterPlaces, folder: Path) -> bool:
    try:
        async with asyncio.timeout(RELOAD_SECONDS):
            while await router.configuration(places) != str(folder):   # noqa: ASYNC110  nginx tells nobody
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


async def _forget_earlier(engine: Engine, wanted: WantedRouter, seen: Seated) -> None:
    await engine.ensure_container_gone(earlier_name(wanted.instance), stop_seconds=STOP_SECONDS)
    await asyncio.to_thread(seen.places.earlier.unlink, missing_ok=True)
    await asyncio.to_thread(_clear_seat, seen.places)


def _clear_seat(places: RouterPlaces) -> None:
    """Remove what a router left, unless its seat is that of the one that serves."""
    if places.socket.is_symlink() and places.socket.readlink().name == places.own_socket.name:
        return
    shutil.rmtree(places.own, ignore_errors=True)
    places.own_socket.unlink(missing_ok=True)
