"""What leads into environments over SSH, put together."""

from __future__ import annotations

from deployd.access.directory import Directory
from deployd.commands.audit import AuditCommands
from deployd.daemon.composition import Daemon
from deployd.inside.begin import Beginning
from deployd.inside.leftovers import Leftovers
from deployd.inside.news import News
from deployd.inside.programs import Programs
from deployd.inside.sessions import Sessions
from deployd.inside.targets import Targets


def inside_of(daemon: Daemon, directory: Directory, audit: AuditCommands) -> Sessions:
    """Who may come in, and what runs for them."""
    store, host = daemon.resources.store, daemon.host
    return Sessions(
        store=store, host=host, directory=directory, targets=Targets(store, host), audit=audit,
        beginning=Beginning(host, Programs(host.settings.state)), open=daemon.process.ssh.stays,
        handed_over=daemon.process.ssh.stays.handed_over,
    )


def news_of(daemon: Daemon) -> News:
    """Tells those who are in environments what begins there."""
    return News(daemon.resources.store, daemon.process.ssh.stays, daemon.boundaries.of("inside"))


def leftovers_of(daemon: Daemon, sessions: Sessions) -> Leftovers:
    """Ends sessions that nobody came back for."""
    return Leftovers(sessions, daemon.boundaries.of("inside"))
