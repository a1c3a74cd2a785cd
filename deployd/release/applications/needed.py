"""What of an application's own process visitors need, and where it is looked for."""

from __future__ import annotations

from pathlib import Path

from deployd.environment.platform import PORT, SOCKET
from deployd.project.model import Application
from deployd.release.applications.web_server import asks_application
from deployd.release.ports import Host
from deployd.release.release import Release
from deployd.runtimes.known import runtime_of


def is_needed(app: Application) -> bool:
    """Whether any request gets to a process of the application; else nginx serves its files, and nobody listens."""
    runs = app.web.instance.commands.start is not None or runtime_of(app).start is not None
    return runs and asks_application(app)


def wanted_socket(app: Application) -> int | str:
    """Where it has to listen: a port, or the path of a Unix socket."""
    return SOCKET if app.web.socket_family == "unix" else PORT


def scripts_of(release: Release, host: Host, part: str) -> Path:
    """The folder of what the scripts of an instance say."""
    return host.places.instance(release.environment, release.home(part), part) / "scripts"
