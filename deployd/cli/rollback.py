"""`deployd rollback`"""

from __future__ import annotations

from pathlib import Path

import click

from deployd.cli.following import started
from deployd.cli.talk import ask, socket_option


@click.command()
@socket_option
@click.argument("project")
@click.argument("environment")
@click.option("--to", type=int, help="Activity whose version is wanted; without it, the version before the live one.")
@click.option("--no-wait", is_flag=True, help="Do not follow the log.")
def rollback(socket: Path, project: str, environment: str, to: int | None, no_wait: bool) -> None:
    """Take an environment (branch or machine name) back to an earlier version, from its stored slugs."""
    made = ask(socket, lambda client: client.rollback(project, environment, to))
    started(socket, made, wait=not no_wait)
