"""`deployd cancel`"""

from __future__ import annotations

import json
from pathlib import Path

import click

from deployd.cli.talk import ask, json_option, socket_option


@click.command()
@socket_option
@click.argument("activity", type=click.IntRange(min=1))
@json_option
def cancel(socket: Path, activity: int, as_json: bool) -> None:
    """End an activity before its switch. What it has begun is undone; the version that is live goes on."""
    found = ask(socket, lambda client: client.post(f"/api/v1/activities/{activity}/cancel"))
    if as_json:
        click.echo(json.dumps(found, indent=2))
        return
    click.echo(f"activity {activity} is asked to end (it is {found['state'].replace('_', ' ')})")
