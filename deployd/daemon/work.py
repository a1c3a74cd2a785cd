"""What the daemon does: lanes, faces and upkeep, as tasks of one group."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import AsyncExitStack
from functools import partial

import structlog
from aiohttp import web

from deployd.access.tokens import find_caller
from deployd.activity.endings import endings
from deployd.activity.holding import Limits
from deployd.activity.lanes import Lanes
from deployd.activity.memory import host_memory
from deployd.activity.net import Nets
from deployd.activity.slots import Slots
from deployd.activity.supervised import supervised
from deployd.api.applications import Public, local_application, public_application
from deployd.api.asked import Api
from deployd.api.changes import Changes
from deployd.commands.sessions import Sessions
from deployd.console.live import Board
from deployd.console.routes import Console, console_routes
from deployd.daemon.certificates import certificate_keeper, ensure_authority
from deployd.daemon.connections import let_in
from deployd.daemon.edges import Edges
from deployd.daemon.health import collected, degraded, footing, measured
from deployd.daemon.lasting import Lasting
from deployd.daemon.queries_and_commands import Watching, commands_of, queries_of
from deployd.deployment.carry import Carrier
from deployd.deployment.share import refuse_beyond_share
from deployd.engine.crowd import Crowd
from deployd.engine.docker.groups import Groups
from deployd.http.callers import Callers
from deployd.http.door import Door
from deployd.http.event_stream import Streams
from deployd.http.guesses import Guesses
from deployd.http.origins import Ours
from deployd.intake.checker import CommitChecker
from deployd.intake.followed import TerminalLogs
from deployd.intake.hooks_folder import write_hooks
from deployd.intake.http_git import git_routes
from deployd.intake.internal import internal_routes
from deployd.intake.ports import Intake
from deployd.intake.queue import StateQueue
from deployd.intake.webhooks import webhook_routes
from deployd.output.outputs import Outputs
from deployd.queries.status import Health, StatusQueries
from deployd.release.gone import kept_bounds
from deployd.release.ports import Host
from deployd.router.paths import RouterPlaces
from deployd.router_process.start import start_router
from deployd.router_process.upgrade import end_earlier_ones, reopen_access_log
from deployd.settings import Settings
from deployd.state import activities, repeats
from deployd.systemd import keep_watchdog_fed, notify, ready, reloading
from deployd.units import MEGABYTE
from deployd.upkeep.access_logs import AccessLogs
from deployd.upkeep.answers import Answers
from deployd.upkeep.collect.collector import Collector
from deployd.upkeep.crons import Crons
from deployd.upkeep.deep_stages import keep_stages_shallow
from deployd.upkeep.going import remove_what_goes
from deployd.upkeep.kept_output import keep_output_bounded
from deployd.upkeep.lost_pushes import LostPushes
from deployd.upkeep.reconcile import Reconciler
from deployd.upkeep.traffic import Traffic
from deployd.upkeep.usage.disks import Disks
from deployd.upkeep.usage.keeper import Usage
from deployd.upkeep.watch import Watch

log = structlog.get_logger()

STOP, RELOAD = "stop", "reload"


async def work(
    stack: AsyncExitStack, edges: Edges, host: Host, lasting: Lasting, next_wish: Callable[[], Awaitable[str]],
) -> str:
    """Put back what is live, then do all that a daemon does until `next_wish` says how it ends."""
    settings, nets, logs = host.settings, Nets(), lasting.logs(host.places.logs)
    logs.go_on_with(edges.masker, endings(edges.store))
    stack.callback(logs.wait)
    memory = host_memory(settings.limits.memory_mb)
    limits = Limits(
        Slots(
            settings.limits.builds, memory, what="builds", net=nets.of("slots"),
            share_of=lambda project: settings.shares_of(project).builds or 1,
        ),
        Slots(
            settings.limits.deploys, memory, what="deployments", net=nets.of("slots"), of_production=1,
            share_of=lambda project: settings.shares_of(project).deploys or 1,
        ),
    )
    carrier = Carrier(edges.store, host, logs, limits, edges.clock, memory.total_mb, nets.of("way back"))
    lanes = Lanes(edges.store, carrier, edges.clock, carrier.may_be_overtaken, net=nets.of("lanes"))
    write_hooks(settings.state / "hooks", settings.api_socket)
    intake = Intake(
        settings.projects, settings.tokens, edges.code, CommitChecker(edges.code, host),
        StateQueue(edges.store, edges.clock, lanes.wake, settings), TerminalLogs(logs, edges.store),
    )
    keeper = certificate_keeper(edges, settings, nets.of("certificates"))
    with nets.of("certificates").contain("making the local authority"):
        await ensure_authority(edges, settings)
    with nets.of("certificates").contain("laying out what there is"):   # hosts without one show the router's own
        await keeper.lay_out()
    reconciler = Reconciler(edges.store, host, edges.clock, net=nets.of("putting back"))
    live = await reconciler.put_back()
    await edges.router.complete()
    crowd = Crowd(edges.engine, settings.instance)
    disks = Disks(edges.engine, host.places, settings.instance, nets.of("disks"))
    usage = Usage(
        edges.engine, crowd, disks, edges.clock, settings.run / "memory-kills.json", groups=Groups(),
        net=nets.of("usage"),
    )
    watch = Watch(
        edges.store, host, reconciler, edges.router, edges.clock,
        partial(start_router, edges.engine, edges.router, settings, host.catalogue),
        net=nets.of("watch"), hear=(crowd.hear, usage.hear),
    )
    traffic, guesses = Traffic(), Guesses()
    outputs = Outputs(
        edges.engine, crowd, host.places.output, host.places.crons, edges.masker.clean_all, edges.clock,
    )
    collector = Collector(edges.store, host, edges.clock, lanes.wake, edges.code.pack, net=nets.of("housekeeping"))
    queries = queries_of(
        edges, host, lasting,
        Watching(
            logs=logs, waits=limits.waits.of, usage=usage, outputs=outputs, collector=collector,
            certificates=keeper.known,
            health=Health(
                partial(footing, edges), partial(degraded, edges, watch, lanes, limits, keeper, nets, usage, lasting),
                partial(collected, collector),
            ),
            measure=partial(measured, edges, traffic, limits, nets, guesses, usage),
        ),
    )
    await edges.store.write(repeats.forget_unanswered)
    sessions = Sessions(edges.store, settings, edges.clock)
    await sessions.load()
    commands = commands_of(edges.store, host, lanes, collector, queries, sessions)
    streams = Streams()
    changes = Changes(queries, nets.of("events"))
    api = Api(queries, commands, changes, streams)
    callers = Callers(partial(find_caller, settings), sessions)
    board = Board(nets.of("console"))
    door = Door(Ours(settings.public_url, settings.listen_address[0]), guesses, let_in)
    console = Console(queries=queries, commands=commands, callers=callers, board=board, streams=streams, door=door)
    more = [*console_routes(console), *_git_routes(intake, settings), *webhook_routes(intake, guesses=guesses)]
    await lasting.faces.open(
        stack, settings,
        public_application(api, more, Public(callers, door, edges.masker.mask), settings.shares.streams),
        local_application(api, internal_routes(intake), settings.shares.streams),
    )
    log.info("daemon_ready", environments=live, listen=settings.listen, router=settings.router.http_port)
    async with asyncio.TaskGroup() as group:
        for_ever: dict[str, Callable[[], Awaitable[None]]] = {
            "lanes": lanes.serve, "watchdog": partial(keep_watchdog_fed, partial(_answers, queries.status, nets)),
            "sessions": sessions.serve, "console": board.serve, "events": changes.serve,
            "usage": usage.serve, "disks": disks.serve, "collector": collector.serve, "certificates": keeper.serve,
            **_upkeep(edges, host, watch, traffic, lanes.wake, nets),
        }
        eternal = [
            group.create_task(supervised(name, once, net=nets.of("tasks")), name=name)
            for name, once in for_ever.items()
        ]
        ready(f"{live} environments are live")
        lasting.is_ready = True
        wish = await next_wish()
        if wish == STOP:
            notify("STOPPING=1")
        else:
            reloading()
        log.info("daemon_stops", wish=wish)
        streams.end()   # their browsers come back
        outputs.end_followers()   # Docker is asked for these; after a reload they come again
        if wish == STOP:
            lasting.end_followers()
        else:
            await lasting.faces.hold()
        for task in eternal:
            task.cancel()
    if wish == STOP:
        await lasting.faces.close()   # while there is still something to answer with
    else:
        opened = await edges.store.read(activities.open_ones)
        lasting.tell_followers([item.id for item in opened if item.state == "in_progress"])
    return wish


def _git_routes(intake: Intake, settings: Settings) -> list[web.RouteDef]:
    return git_routes(
        intake, settings.shares.streams, lambda project: settings.shares_of(project).repository_mb * MEGABYTE,
    )


async def _answers(status: StatusQueries, nets: Nets) -> None:
    """Return when the daemon has answered a question, whatever the answer: it lives, and a start would mend nothing."""
    with nets.of("tasks").contain("asking whether pushes can be taken"):
        await status.not_ready()


def _upkeep(
    edges: Edges, host: Host, watch: Watch, traffic: Traffic, wake: Callable[[], None], nets: Nets,
) -> dict[str, Callable[[], Awaitable[None]]]:
    """What looks after everything between deployments: {name of the task: what it does for ever}"""
    seen = host.settings.state / "remotes"
    lost = LostPushes(edges.store, host.settings.projects, edges.code, seen, edges.clock, wake,
                      net=nets.of("lost pushes"), refuse=partial(refuse_beyond_share, host.settings))
    wrong = Answers(edges.store, host, edges.clock, net=nets.of("answers"))
    crons = Crons(edges.store, host, edges.router, edges.masker, net=nets.of("crons"))
    return {
        "watch": watch.serve, "firewall": edges.wall.serve, "mail": edges.mail.serve,
        "lost pushes": lost.serve, "crons": crons.serve, "answers": wrong.serve,
        "access logs": _access_logs(edges, host, traffic, nets).serve,
        "kept output": partial(
            keep_output_bounded, host.places.all_output, kept_bounds(host.settings), nets.of("kept output"),
        ),
        "deep stages": partial(keep_stages_shallow, host.places.stages_root, nets.of("deep stages")),
        "what goes": partial(remove_what_goes, host.places.going, nets.of("what goes")),
        "earlier router": partial(
            end_earlier_ones, edges.engine, edges.router, edges.router_started.wanted,
            upgrade_waits=edges.router_started.upgrade_waits,
        ),
    }


def _access_logs(edges: Edges, host: Host, traffic: Traffic, nets: Nets) -> AccessLogs:
    places, settings = RouterPlaces(host.settings.run), host.settings
    return AccessLogs(
        places.access_log, host.places, traffic, partial(reopen_access_log, edges.engine, settings.instance),
        most_bytes=settings.router.access_log_mb * MEGABYTE, net=nets.of("access logs"),
    )
