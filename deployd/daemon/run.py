"""One run of the daemon, between two readings of its settings: the order in which it starts, its loops, how it stops.

    put back what is live ─► listen ─► loops, ready ─► an order ─► followers ended ─► loops ended ─► sockets closed
"""

from __future__ import annotations

import asyncio
import gc
from collections.abc import Awaitable, Callable
from contextlib import AsyncExitStack
from functools import partial
from typing import TypeVar

import structlog

from deployd.activity.follower import endings
from deployd.activity.supervised import supervised
from deployd.daemon.certificates import ensure_authority
from deployd.daemon.composition import Daemon
from deployd.daemon.http import Http, compose_http
from deployd.daemon.inside import leftovers_of, news_of
from deployd.daemon.ssh import host_key_of, ssh_supervisor
from deployd.intake.receive_hook_folder import write_hooks
from deployd.release.container_removal import retention_of
from deployd.router_process.earlier import end_earlier_ones
from deployd.ssh.supervisor import SshSupervisor
from deployd.state import activities, repeats
from deployd.systemd import keep_watchdog_fed, notify, ready, reloading
from deployd.upkeep.deep_stages import keep_stages_shallow
from deployd.upkeep.going import remove_what_goes
from deployd.upkeep.kept_output import keep_output_bounded

log = structlog.get_logger()

STOP, RELOAD = "stop", "reload"
T = TypeVar("T")
Loop = Callable[[], Awaitable[None]]


async def run(stack: AsyncExitStack, daemon: Daemon, next_settings: Callable[[], Awaitable[T | None]]) -> T | None:
    """Put back what is live, then do all that a daemon does until there are other settings; None: until it stops."""
    http = compose_http(daemon)
    ssh = ssh_supervisor(daemon)
    live = await _start(stack, daemon, http)
    async with asyncio.TaskGroup() as group:
        eternal = [
            group.create_task(supervised(name, once, boundary=daemon.boundaries.of("tasks")), name=name)
            for name, once in _loops(daemon, http, ssh).items()
        ]
        _leave_out_of_collections()
        ready(f"{live} environments are live")
        daemon.process.is_ready = True
        anew = await next_settings()
        await _end_followers(daemon, http, stops=anew is None)
        for task in eternal:
            task.cancel()
    if anew is None:
        await daemon.process.listeners.close()   # while there is still something to answer with
        await daemon.process.ssh.close()
    else:
        await _tell_followers(daemon)
    return anew


async def _start(stack: AsyncExitStack, daemon: Daemon, http: Http) -> int:
    """Put back what is live, then listen. Returns how many environments are."""
    settings, resources, process = daemon.settings, daemon.resources, daemon.process
    daemon.activities.logs.go_on_with(resources.masker, endings(resources.store))
    stack.callback(daemon.activities.logs.wait)
    await resources.store.write(repeats.forget_unanswered)
    await http.people.load()
    await http.sessions.load()
    write_hooks(settings.state / "hooks", settings.api_socket)
    await _lay_out_certificates(daemon)
    live = await daemon.upkeep.reconciler.put_back()
    await resources.router.complete()
    await process.listeners.open(stack, settings, http.public, http.local)
    await process.ssh.open(settings, http.ssh, await host_key_of(settings))
    log.info("daemon_ready", environments=live, listen=settings.listen, router=settings.router.http_port)
    return live


async def _lay_out_certificates(daemon: Daemon) -> None:
    boundary = daemon.boundaries.of("certificates")
    with boundary.contain("making the local authority"):
        await ensure_authority(daemon.resources, daemon.settings)
    with boundary.contain("laying out what there is"):   # hosts without one show the router's own
        await daemon.upkeep.certificates.lay_out()


def _loops(daemon: Daemon, http: Http, ssh: SshSupervisor) -> dict[str, Loop]:
    """{name of the task: what it does for ever}"""
    resources, host, boundaries = daemon.resources, daemon.host, daemon.boundaries
    observation, upkeep = daemon.observation, daemon.upkeep
    return {
        "lanes": daemon.activities.lanes.serve,
        "watchdog": partial(keep_watchdog_fed, partial(_answers, daemon, http)),
        "sessions": http.sessions.serve, "people": http.people.serve,
        "console": http.board.serve, "events": http.changes.serve,
        "usage": observation.usage.serve, "disks": observation.disks.serve,
        "free space": upkeep.free_space.serve, "disk kinds": upkeep.disk_kinds.serve,
        "collector": upkeep.collector.serve, "certificates": upkeep.certificates.serve,
        "watch": upkeep.watch.serve, "firewall": resources.firewall.serve, "mail": resources.mail.serve,
        "ssh": ssh.serve, "news for who is inside": news_of(daemon).serve,
        "left sessions": leftovers_of(daemon, http.inside).serve,
        "reports": upkeep.reporter.serve,
        "tickets": upkeep.tickets.serve, "locks": upkeep.lock_ends.serve,
        "lost pushes": upkeep.lost_pushes.serve, "crons": upkeep.crons.serve, "answers": upkeep.answers.serve,
        "access logs": upkeep.access_logs.serve, "idle": upkeep.idle.serve, "wakes": upkeep.wakes.serve,
        "kept output": partial(
            keep_output_bounded, host.places.all_output, retention_of(host.settings), boundaries.of("kept output"),
        ),
        "deep stages": partial(keep_stages_shallow, host.places.stages_root, boundaries.of("deep stages")),
        "what goes": partial(remove_what_goes, host.places.going, boundaries.of("what goes")),
        "earlier router": partial(
            end_earlier_ones, resources.engine, resources.router, resources.router_started.wanted,
            upgrade_waits=resources.router_started.upgrade_waits,
        ),
    }


def _leave_out_of_collections() -> None:
    """What is there from the start stays: Python need not look through it each time that it looks for what has become
    unreachable. That took a tenth of a second, in which nobody was answered."""
    gc.unfreeze()   # what was there before a reload, and is not needed any more
    gc.collect()
    gc.freeze()


async def _answers(daemon: Daemon, http: Http) -> None:
    """Return when the daemon has answered a question, whatever the answer: it lives, and a start would mend nothing."""
    with daemon.boundaries.of("tasks").contain("asking whether pushes can be taken"):
        await http.queries.status.not_ready()


async def _end_followers(daemon: Daemon, http: Http, *, stops: bool) -> None:
    """Before the loops end: who follows something would hold up the end of the sockets."""
    if stops:
        notify("STOPPING=1")
    else:
        reloading()
    log.info("daemon_stops", wish=STOP if stops else RELOAD)
    http.streams.end()   # their browsers come back
    daemon.observation.outputs.end_followers()   # Docker is asked for these; after a reload they come again
    if stops:
        daemon.process.end_followers()
    else:
        daemon.process.ssh.hold()
        await daemon.process.listeners.hold()


async def _tell_followers(daemon: Daemon) -> None:
    opened = await daemon.resources.store.read(activities.open_ones)
    daemon.process.tell_followers([item.id for item in opened if item.state == "in_progress"])
