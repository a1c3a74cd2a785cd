"""What the daemon answers over HTTP: API, console, git and webhooks on `listen`; API and hooks on its own socket."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial

from aiohttp import web

from deployd.access.tokens import find_caller
from deployd.api.applications import local_application, public_application
from deployd.api.board import StateBoard
from deployd.api.desk import StateDesk
from deployd.api.door import Door
from deployd.api.origins import Ours
from deployd.api.routes import ApiRoute, api_routes
from deployd.console.routes import console_routes
from deployd.daemon.composition import Daemon
from deployd.daemon.connections import let_in
from deployd.daemon.health import collected, degraded, health_of, measured
from deployd.intake.http_git import git_routes
from deployd.intake.internal import internal_routes
from deployd.intake.webhooks import webhook_routes
from deployd.units import MEGABYTE


@dataclass(frozen=True)
class Http:
    """The two applications, and what they read."""

    board: StateBoard
    public: web.Application
    local: web.Application


def compose_http(daemon: Daemon) -> Http:
    """What answers for a daemon."""
    board = _board(daemon)
    routes = api_routes(board, _desk(daemon))
    streams = daemon.settings.shares.streams
    local = local_application(routes, internal_routes(daemon.activities.intake), streams)
    return Http(board, _public(daemon, board, routes), local)


def _board(daemon: Daemon) -> StateBoard:
    resources, activities, observation = daemon.resources, daemon.activities, daemon.observation
    return StateBoard(
        resources.store, daemon.settings, activities.logs, resources.clock, health_of(resources),
        partial(degraded, daemon), activities.limits.waits.of, partial(measured, daemon),
        partial(collected, daemon.upkeep.collector), daemon.upkeep.certificates.known, observation.outputs,
        observation.usage, daemon.process.began,
    )


def _desk(daemon: Daemon) -> StateDesk:
    resources = daemon.resources
    return StateDesk(resources.store, daemon.host, daemon.activities.lanes, resources.clock, daemon.upkeep.collector)


def _public(daemon: Daemon, board: StateBoard, routes: Sequence[ApiRoute]) -> web.Application:
    settings, intake, guesses = daemon.settings, daemon.activities.intake, daemon.observation.guesses
    find = partial(find_caller, settings)
    more = [*console_routes(board, find), *_git(daemon), *webhook_routes(intake, guesses=guesses)]
    door = Door(Ours(settings.public_url, settings.listen_address[0]), guesses, let_in)
    return public_application(routes, more, find, door, (), daemon.resources.masker.mask, settings.shares.streams)


def _git(daemon: Daemon) -> list[web.RouteDef]:
    settings = daemon.settings
    return git_routes(
        daemon.activities.intake, settings.shares.streams,
        lambda project: settings.shares_of(project).repository_mb * MEGABYTE,
    )
