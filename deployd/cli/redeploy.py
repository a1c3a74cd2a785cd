"""`deployd redeploy`"""

from __future__ import annotations

from pathlib import Path

import click

from deployd.cli.following import started
from deployd.cli.talk import ask, socket_option


@click.command()
@socket_option
@click.argument("project")
@click.argument("environment")
@click.option("--no-wait", is_flag=True, help="Do not follow the log.")
def redeploy(socket: Path, project: str, environment: str, no_wait: bool) -> None:
    """Deploy what is live in an environment (branch or machine name) once more."""
    made = ask(socket, lambda client: client.redeploy(project, environment))
    started(socket, made, wait=not no_wait)
