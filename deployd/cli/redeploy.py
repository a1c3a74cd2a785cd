"""`deployd redeploy`"""

from __future__ import annotations

from pathlib import Path

import click

from deployd.cli.following import started
from deployd.cli.talk import ask, json_option, socket_option


@click.command()
@socket_option
@click.argument("project")
@click.argument("environment")
@click.option("--no-wait", is_flag=True, help="Do not wait for its end.")
@json_option
def redeploy(socket: Path, project: str, environment: str, no_wait: bool, as_json: bool) -> None:
    """Deploy what is live in an environment once more. ENVIRONMENT is its branch or its machine name."""
    made = ask(socket, lambda client: client.redeploy(project, environment))
    started(socket, made, wait=not no_wait, as_json=as_json)
