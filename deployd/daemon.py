"""The daemon: the only place that builds things. Opens every edge, owns every task, closes in reverse order.

    settings ─► state.db ─► Docker ─► router ─► lanes, HTTP faces, upkeep ─► ready
    SIGTERM  ─► no new work ─► lanes cancelled (rows stay open) ─► edges closed
"""

from __future__ import annotations

import asyncio
import errno
import os
import signal
import socket
import sys
from collections.abc import Awaitable, Callable
from contextlib import AsyncExitStack, suppress
from dataclasses import dataclass
from functools import partial
from pathlib import Path, PurePosixPath
from typing import Any, ClassVar

import structlog
import uvloop
from aiohttp import web

from deployd.activity.endings import endings
from deployd.activity.holding import Limits
from deployd.activity.lanes import Lanes
from deployd.activity.log import Logs
from deployd.activity.masking import Masker
from deployd.activity.memory import host_memory
from deployd.activity.slots import Slots
from deployd.activity.supervised import supervised
from deployd.api.applications import local_application, public_application
from deployd.api.board import Health, StateBoard
from deployd.api.desk import StateDesk
from deployd.api.metrics import Figures
from deployd.api.routes import api_routes
from deployd.api.shapes import Caller
from deployd.catalogue import Catalogue, load_catalogue
from deployd.clock import Clock, SystemClock
from deployd.deployment.carry import Carrier
from deployd.deployment.code import ProjectCode
from deployd.deployment.facts import StateFacts
from deployd.deployment.host import Host
from deployd.deployment.places import Places
from deployd.engine.docker import Engine
from deployd.engine.images import Images
from deployd.errors import DeployError
from deployd.intake.checker import CommitChecker
from deployd.intake.followed import TerminalLogs
from deployd.intake.hooks_folder import write_hooks
from deployd.intake.http_git import git_routes
from deployd.intake.internal import internal_routes
from deployd.intake.ports import Intake
from deployd.intake.queue import StateQueue
from deployd.intake.tokens import find_token
from deployd.intake.webhooks import webhook_routes
from deployd.operator_log import configure_log
from deployd.router.certificate import ensure_default_certificate
from deployd.router.container import ensure_router, reopen_access_log, router_container, wait_until_listening
from deployd.router.control import Router, RouterAbsent, open_router
from deployd.router.places import RouterPlaces
from deployd.router.render_nginx import RouterConfig
from deployd.router.table import RouterStatus
from deployd.settings import Settings, config_folder, load_settings
from deployd.slugs.archive import SlugStore
from deployd.slugs.storage import Slugs
from deployd.state.environments import all_secrets
from deployd.state.store import Store, open_store
from deployd.systemd import keep_watchdog_fed, notify, passed_socket
from deployd.upkeep.access_logs import AccessLogs
from deployd.upkeep.collect.collector import Collector
from deployd.upkeep.crons import Crons
from deployd.upkeep.lost_pushes import LostPushes
from deployd.upkeep.reconcile import Reconciler
from deployd.upkeep.traffic import Traffic
from deployd.upkeep.watch import Watch

log = structlog.get_logger()

STOP, RELOAD = "stop", "reload"
STOP_SECONDS = 5.0
NO_ROOM = "No space left on device"
MEGABYTE = 1_000_000
CONTAINERS_MAY_READ = 0o022
"""umask: users of containers read what is written for them. Secrets lie below folders that only root may enter."""


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


class NotRoot(DeployError):
    """The daemon was started by an ordinary user."""

    code: ClassVar[str] = "not-root"


class FolderUnusable(DeployError):
    """A folder of the daemon cannot be made, or nothing be written into it."""

    code: ClassVar[str] = "folder-unusable"


class PortTaken(DeployError):
    """The address of the HTTP face is in use."""

    code: ClassVar[str] = "port-taken"


@dataclass(frozen=True)
class Edges:
    """Everything that is open while the daemon runs."""

    store: Store
    engine: Engine
    router: Router
    clock: Clock
    masker: Masker
    code: ProjectCode
    """One for intake and deployments: what the check of a push has read is not read again."""


async def run_daemon(settings: Settings, catalogue: Catalogue, settings_file: Path) -> str:
    """Open, serve, close. Returns STOP or RELOAD."""
    wishes: asyncio.Queue[str] = asyncio.Queue(maxsize=100)
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, wishes.put_nowait, STOP)
    loop.add_signal_handler(signal.SIGHUP, wishes.put_nowait, RELOAD)
    async with AsyncExitStack() as stack:
        edges = await _open_edges(stack, settings, catalogue)
        slugs = SlugStore(settings.state / "slugs", min_free_bytes=settings.min_free_disk_mb * MEGABYTE)
        await slugs.sweep()   # what a crash left half packed
        host = _host(edges, settings, catalogue, slugs)
        wish = await _serve(stack, edges, host, partial(_next_wish, wishes, settings_file))
    log.info("daemon_stopped", wish=wish)
    return wish


async def _next_wish(wishes: asyncio.Queue[str], settings_file: Path) -> str:
    """A stop, or a reload with settings that are valid: others are told and change nothing."""
    while True:
        wish = await wishes.get()
        if wish == STOP:
            return wish
        try:
            load_catalogue((await asyncio.to_thread(load_settings, settings_file)).catalogue_path)
        except DeployError as error:
            log.error("reload_refused", what=error.what, where=error.where, evidence=error.evidence)
        else:
            return wish


async def _open_edges(stack: AsyncExitStack, settings: Settings, catalogue: Catalogue) -> Edges:
    for folder in (settings.state, settings.run):
        _ensure_folder(folder)
    store = await stack.enter_async_context(open_store(settings.state / "state.db"))
    _refuse_taken_port(settings)   # before anything is started that a daemon that cannot serve would leave behind
    engine = await stack.enter_async_context(Engine(settings.docker_socket))
    places = RouterPlaces(settings.run)
    router = await stack.enter_async_context(open_router(places.socket))
    masker = Masker(settings.secrets())
    masker.learn(await store.read(all_secrets))   # a hook that outlived the last daemon may print one
    code = ProjectCode(Places(settings.state, settings.run).repository, settings.state / "hooks")
    edges = Edges(store, engine, router, SystemClock(), masker, code)
    await _start_router(edges, settings, catalogue, places)
    return edges


def _ensure_folder(folder: Path) -> None:
    try:
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    except OSError as error:
        raise FolderUnusable(
            f"cannot make the folder {folder}: {error.strerror}",
            mend="choose another with `directory`, `state` or `run`, or remove what is in its way",
        ) from None


async def _start_router(edges: Edges, settings: Settings, catalogue: Catalogue, places: RouterPlaces) -> None:
    images = Images(edges.engine.docker, catalogue)
    image_id = await images.ensure(catalogue.router, lambda line: log.info("router_image", line=line))
    certificates = settings.state / "certs" if settings.router.https_port else None
    spec = router_container(settings.instance, catalogue.router.image, image_id, places, certificates)
    certificate, key = await ensure_default_certificate(certificates) if certificates else (None, None)
    config = RouterConfig(
        run=PurePosixPath(places.folder), socket=PurePosixPath(places.socket), config=PurePosixPath(places.current),
        address=settings.router.address, http_port=settings.router.http_port, workers=settings.router.workers,
        max_held=settings.router.max_held, cache_mb=settings.router.cache_mb, https_port=settings.router.https_port,
        http3=settings.router.http3, access_log=settings.router.access_log_mb > 0,
        client_requests_per_second=settings.router.client_requests_per_second,
        client_burst=settings.router.client_burst, client_connections=settings.router.client_connections,
        client_exempt=settings.router.client_exempt,
        certificate=PurePosixPath(certificate) if certificate else None,
        certificate_key=PurePosixPath(key) if key else None,
    )
    is_new = await edges.engine.container(spec.name) is None
    await ensure_router(edges.engine, spec, config_folder() / "router", places, config)
    try:
        await wait_until_listening(edges.router)
    except RouterAbsent as error:
        lines = await edges.engine.last_lines(spec.name, 5)
        if is_new:   # nobody is served by it, and Docker would start it again for ever
            await edges.engine.ensure_container_gone(spec.name, stop_seconds=0)
        port = settings.router.http_port
        raise RouterAbsent(
            f"the router did not start on {settings.router.address}:{port}", where="router", evidence=lines,
            mend="often another program has the port: stop it, or choose another with router.http_port",
        ) from error


def _host(edges: Edges, settings: Settings, catalogue: Catalogue, slugs: SlugStore) -> Host:
    places = Places(settings.state, settings.run)
    return Host(
        settings=settings, catalogue=catalogue, clock=edges.clock, places=places,
        code=edges.code,
        engine=edges.engine,
        images=Images(edges.engine.docker, catalogue),
        slugs=Slugs(slugs, places.mounts),
        router=edges.router,
        facts=StateFacts(edges.store, edges.engine, settings, edges.clock, edges.masker),
    )


async def _serve(
    stack: AsyncExitStack, edges: Edges, host: Host, next_wish: Callable[[], Awaitable[str]],
) -> str:
    settings = host.settings
    logs = Logs(host.places.logs, edges.clock, edges.masker, endings(edges.store))
    memory = host_memory(settings.limits.memory_mb)
    limits = Limits(
        Slots(settings.limits.builds, memory, what="builds"),
        Slots(settings.limits.deploys, memory, what="deployments"),
    )
    carrier = Carrier(edges.store, host, logs, limits, edges.clock, memory.total_mb)
    lanes = Lanes(edges.store, carrier, edges.clock, carrier.may_be_overtaken)
    write_hooks(settings.state / "hooks", settings.api_socket)
    intake = Intake(
        settings.projects, settings.tokens, edges.code, CommitChecker(edges.code, host),
        StateQueue(edges.store, edges.clock, lanes.wake), TerminalLogs(logs, edges.store),
    )
    reconciler = Reconciler(edges.store, host, edges.clock)
    live = await reconciler.put_back()
    await edges.router.complete()
    watch = Watch(
        edges.store, host, reconciler, edges.router, edges.clock,
        partial(_start_router, edges, settings, host.catalogue, RouterPlaces(settings.run)),
    )
    traffic = Traffic()
    board = StateBoard(
        edges.store, settings, logs, edges.clock, _health(edges), partial(_degraded, watch, lanes, limits),
        limits.waits.of, partial(_measured, edges, traffic, limits),
    )
    collector = Collector(edges.store, host, edges.clock, lanes.wake, edges.code.pack)
    routes = api_routes(board, StateDesk(edges.store, host, lanes, edges.clock, collector))
    find = partial(_find_caller, settings)
    await _open_faces(
        stack, settings, public_application(routes, [*git_routes(intake), *webhook_routes(intake)], find),
        local_application(routes, internal_routes(intake)),
    )
    log.info("daemon_ready", environments=live, listen=settings.listen, router=settings.router.http_port)
    async with asyncio.TaskGroup() as group:
        eternal = [
            group.create_task(supervised("lanes", lanes.serve), name="lanes"),
            group.create_task(supervised("watchdog", partial(keep_watchdog_fed, board.not_ready)), name="watchdog"),
            *(group.create_task(supervised(name, once), name=name)
              for name, once in _upkeep(edges, host, watch, traffic, lanes.wake).items()),
            group.create_task(supervised("collector", collector.serve), name="collector"),
        ]
        notify("READY=1", f"STATUS={live} environments are live")
        wish = await next_wish()
        notify("STOPPING=1" if wish == STOP else "RELOADING=1")
        log.info("daemon_stops", wish=wish)
        logs.end_followers()   # first: else closing the faces waits for them
        board.end_followers()
        for task in eternal:
            task.cancel()
    return wish


def _upkeep(
    edges: Edges, host: Host, watch: Watch, traffic: Traffic, wake: Callable[[], None],
) -> dict[str, Callable[[], Awaitable[None]]]:
    """What looks after everything between deployments: {name of the task: what it does for ever}"""
    seen = host.settings.state / "remotes"
    lost = LostPushes(edges.store, host.settings.projects, edges.code, seen, edges.clock, wake)
    crons = Crons(edges.store, host, edges.router, edges.masker)
    return {
        "watch": watch.serve, "lost pushes": lost.serve, "crons": crons.serve,
        "access logs": _access_logs(edges, host, traffic).serve,
    }


def _access_logs(edges: Edges, host: Host, traffic: Traffic) -> AccessLogs:
    places, settings = RouterPlaces(host.settings.run), host.settings
    return AccessLogs(
        places.access_log, host.places, traffic, partial(reopen_access_log, edges.engine, settings.instance, places),
        most_bytes=settings.router.access_log_mb * MEGABYTE,
    )


async def _measured(edges: Edges, traffic: Traffic, limits: Limits) -> Figures:
    """What `/metrics` tells besides the status."""
    router: RouterStatus | None = None
    with suppress(DeployError):
        router = await edges.router.status()
        traffic.forget_all_but(router.environments)
    slots = {"builds": limits.builds, "deployments": limits.deploys}
    return Figures(
        dict(traffic.visits), router, {name: (found.taken, found.waiting) for name, found in slots.items()},
        traffic.lost_lines,
    )


def _find_caller(settings: Settings, authorization: str | None) -> Caller | None:
    token = find_token(settings.tokens, authorization)
    return Caller(token.name, token.role, token.projects) if token else None


def _degraded(watch: Watch, lanes: Lanes, limits: Limits) -> list[str]:
    """What is not well though pushes can be taken: environments, rows of a newer deployd, undos that are stuck."""
    return [*watch.degraded(), *lanes.left_alone.values(), *limits.waits.stuck]


def _health(edges: Edges) -> Health:
    async def look() -> tuple[dict[str, Any], dict[str, Any], list[str]]:
        engine: dict[str, Any] = {"reachable": False}
        router: dict[str, Any] = {"reachable": False}
        reasons = []
        try:
            engine = {"reachable": True, "version": await edges.engine.version()}
        except DeployError as error:
            reasons.append(error.what)
        try:
            seen = await edges.router.status(environments=False)
            router = {"reachable": True, "held_now": seen.held_now, "released": seen.released,
                      "expired": seen.expired, "left": seen.left, "refused": seen.refused}
        except DeployError as error:
            reasons.append(error.what)
        return engine, router, reasons
    return look


async def _open_faces(
    stack: AsyncExitStack, settings: Settings, public: web.Application, local: web.Application,
) -> None:
    """The Unix socket first: whoever sees the public port can already be answered by the receive hooks."""
    settings.api_socket.unlink(missing_ok=True)
    for app in (local, public):
        runner = web.AppRunner(app, shutdown_timeout=STOP_SECONDS, access_log=None)
        await runner.setup()
        stack.push_async_callback(runner.cleanup)
        if app is local:
            await web.UnixSite(runner, str(settings.api_socket)).start()
            await asyncio.to_thread(os.chmod, settings.api_socket, 0o600)
            continue
        try:
            passed = passed_socket()
            site = web.SockSite(runner, passed) if passed else web.TCPSite(runner, *settings.listen_address)
            await site.start()
        except OSError as error:
            raise _port_taken(settings, error) from None


def _refuse_taken_port(settings: Settings) -> None:
    """
    Raises:
        PortTaken: The address of the HTTP face is in use, or not of this host.
    """
    if passed_socket() is not None:
        return
    host, port = settings.listen_address
    try:
        for family, kind, protocol, _, address in socket.getaddrinfo(host, port, type=socket.SOCK_STREAM):
            with socket.socket(family, kind, protocol) as trial:
                trial.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
                trial.bind(address)
    except OSError as error:
        raise _port_taken(settings, error) from None


def _port_taken(settings: Settings, error: OSError) -> PortTaken:
    why = "another program has the port" if error.errno == errno.EADDRINUSE else error.strerror
    return PortTaken(
        f"cannot listen on {settings.listen}: {why}", where="listen",
        mend="stop the program that has the port, or choose another with `listen`",
    )
