"""`deployd lock` and `deployd unlock`"""

from __future__ import annotations

import json
from pathlib import Path

import click

from deployd.cli.talk import ask, json_option, socket_option


@click.command()
@socket_option
@click.argument("project")
@click.argument("environment")
@click.option("--reason", default="", help="Why; everybody who pushes reads it.")
@json_option
def lock(socket: Path, project: str, environment: str, reason: str, as_json: bool) -> None:
    """Keep what is live: pushes are taken and built, and wait until `deployd unlock`.

    Redeploys and rollbacks that somebody asks for are not held. ENVIRONMENT is its branch or its machine name.
    """
    found = ask(socket, lambda client: client.lock(project, environment, reason))
    if as_json:
        click.echo(json.dumps(found, indent=2))
        return
    click.echo(f"{project}/{found['branch']} is locked: pushes are built and wait; "
               f"`deployd unlock {project} {found['branch']}` lets them go live")
    for number in found["activities"]:
        click.echo(f"activity {number} runs already and is held only if it is not past its build; "
                   f"`deployd cancel {number}` ends it before its switch")


@click.command()
@socket_option
@click.argument("project")
@click.argument("environment")
@json_option
def unlock(socket: Path, project: str, environment: str, as_json: bool) -> None:
    """Let pushes go live again; the one that was built and waits goes on at once.

    ENVIRONMENT is its branch or its machine name.
    """
    found = ask(socket, lambda client: client.unlock(project, environment))
    if as_json:
        click.echo(json.dumps(found, indent=2))
        return
    click.echo(f"{project}/{found['branch']} is unlocked")
    for number in found["activities"]:
        click.echo(f"activity {number} goes on: deployd log -f {number}")
