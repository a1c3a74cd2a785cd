"""`deployd pass`"""

from __future__ import annotations

import json
from pathlib import Path

import click

from deployd.cli.talk import ask, json_option, socket_option


@click.command("pass")
@socket_option
@click.argument("project")
@click.argument("environment")
@json_option
def operator_pass(socket: Path, project: str, environment: str, as_json: bool) -> None:
    """Links that show you a new version while visitors wait for it, or see the maintenance page.

    Who opens one within ten minutes gets a cookie for that site, good for four hours. ENVIRONMENT is its branch or its
    machine name.
    """
    made = ask(socket, lambda client: client.make_pass(project, environment))
    click.echo(json.dumps(made, indent=2) if as_json else "\n".join(made["links"]))
