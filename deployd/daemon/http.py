"""What the daemon answers over HTTP: API, console, git and webhooks on `listen`; API and hooks on its own socket."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial

from aiohttp import web

from deployd.access.tokens import find_caller
from deployd.api.applications import Public, local_application, public_application
from deployd.api.asked import Api
from deployd.console.routes import console_routes
from deployd.daemon.composition import Daemon
from deployd.daemon.connections import let_in
from deployd.daemon.queries_and_commands import commands_of, queries_of
from deployd.http.door import Door
from deployd.http.origins import Ours
from deployd.intake.git_service import GitService
from deployd.intake.http_git import git_routes
from deployd.intake.receive_hook_routes import receive_hook_routes
from deployd.intake.webhooks import webhook_routes
from deployd.queries.queries import Queries
from deployd.units import MEGABYTE


@dataclass(frozen=True)
class Http:
    """The two applications, and what they ask."""

    queries: Queries
    public: web.Application
    local: web.Application


def compose_http(daemon: Daemon) -> Http:
    """What answers for a daemon."""
    queries = queries_of(daemon)
    api = Api(queries, commands_of(daemon, queries))
    local = local_application(api, receive_hook_routes(daemon.activities.intake), daemon.settings.shares.streams)
    return Http(queries, _public(daemon, api, queries), local)


def _public(daemon: Daemon, api: Api, queries: Queries) -> web.Application:
    settings, intake, failed_sign_ins = daemon.settings, daemon.activities.intake, daemon.observation.failed_sign_ins
    find = partial(find_caller, settings)
    more = [*console_routes(queries, find), *_git(daemon), *webhook_routes(intake, failed_sign_ins=failed_sign_ins)]
    door = Door(Ours(settings.public_url, settings.listen_address[0]), failed_sign_ins, let_in)
    return public_application(api, more, Public(find, door, daemon.resources.masker.mask), settings.shares.streams)


def _git(daemon: Daemon) -> list[web.RouteDef]:
    settings, intake = daemon.settings, daemon.activities.intake
    return git_routes(intake.tokens, GitService(
        intake, settings.shares.streams, lambda project: settings.shares_of(project).repository_mb * MEGABYTE,
    ))
