"""What the daemon answers over HTTP: API, console, git and webhooks on `listen`; API and hooks on its own socket."""

from __future__ import annotations

from dataclasses import dataclass

from aiohttp import web

from deployd.access.directory import Directory
from deployd.api.applications import Public, local_application, public_application
from deployd.api.asked import Api
from deployd.api.changes import Changes
from deployd.commands.people import PeopleCommands
from deployd.commands.sessions import Sessions
from deployd.console.live import Board
from deployd.console.routes import Console, console_routes
from deployd.daemon.composition import Daemon
from deployd.daemon.connections import let_in
from deployd.daemon.inside import inside_of
from deployd.daemon.queries_and_commands import commands_of, queries_of
from deployd.daemon.ssh import ssh_handlers
from deployd.http.callers import Callers
from deployd.http.door import Door
from deployd.http.event_stream import Streams
from deployd.http.origins import Ours
from deployd.inside.sessions import Sessions as InsideSessions
from deployd.intake.git_service import GitService
from deployd.intake.http_git import git_routes
from deployd.intake.receive_hook_routes import receive_hook_routes
from deployd.intake.webhooks import webhook_routes
from deployd.queries.queries import Queries
from deployd.ssh.link_server import Handler
from deployd.units import MEGABYTE


@dataclass(frozen=True)
class Http:
    """The two applications, and what they ask."""

    queries: Queries
    sessions: Sessions
    people: PeopleCommands
    board: Board
    changes: Changes
    streams: Streams
    public: web.Application
    local: web.Application
    ssh: dict[str, Handler]
    """What `deployd-ssh` may ask."""
    inside: InsideSessions
    """Who is in environments over SSH."""


def compose_http(daemon: Daemon) -> Http:
    """What answers for a daemon."""
    store, clock = daemon.resources.store, daemon.resources.clock
    directory = Directory(daemon.settings.tokens, clock.now)
    queries, sessions = queries_of(daemon, directory), Sessions(store, directory, clock)
    people = PeopleCommands(store, directory, clock, daemon.settings.projects)
    commands = commands_of(daemon, queries, directory, sessions, people)
    api = Api(queries, commands, Changes(queries, daemon.boundaries.of("events")))
    ours = Ours(daemon.settings.public_url, daemon.settings.listen_address[0])
    callers = Callers(directory.by_header, sessions, ours)
    door = Door(ours, daemon.observation.failed_sign_ins, let_in)
    console = Console(queries=queries, commands=commands, callers=callers, board=Board(daemon.boundaries.of("console")),
                      streams=api.streams, door=door)
    local = local_application(api, receive_hook_routes(daemon.activities.intake), daemon.settings.shares.streams)
    git = _git_service(daemon)
    public = _public(daemon, api, console, git)
    inside = inside_of(daemon, directory, commands.audit)
    ssh = ssh_handlers(daemon, directory, git, inside)
    return Http(queries, sessions, people, console.board, api.changes, api.streams, public, local, ssh, inside)


def _public(daemon: Daemon, api: Api, console: Console, git: GitService) -> web.Application:
    intake, failed_sign_ins = daemon.activities.intake, daemon.observation.failed_sign_ins
    more = [*console_routes(console), *git_routes(console.callers.by_header, git),
            *webhook_routes(intake, failed_sign_ins=failed_sign_ins)]
    public = Public(console.callers, console.door, daemon.resources.masker.mask)
    return public_application(api, more, public, daemon.settings.shares.streams)


def _git_service(daemon: Daemon) -> GitService:
    """One for HTTP and SSH: what a caller has under way counts together."""
    settings = daemon.settings
    return GitService(
        daemon.activities.intake, settings.shares.streams,
        lambda project: settings.shares_of(project).repository_mb * MEGABYTE,
    )
