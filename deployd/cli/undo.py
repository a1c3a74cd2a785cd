"""`deployd undo`"""

from __future__ import annotations

import json
from pathlib import Path

import click

from deployd.cli.talk import ask, json_option, socket_option

SAID = {"retry": "tried again now", "skip": "left as it is; the rest goes on"}


@click.command()
@socket_option
@click.argument("what", type=click.Choice(list(SAID)))
@click.argument("activity", type=click.IntRange(min=1))
@json_option
def undo(socket: Path, what: str, activity: int, as_json: bool) -> None:
    """Try an undo that is stuck at once, or skip it: then what it would have undone is yours to put right."""
    found = ask(socket, lambda client: client.post(f"/api/v1/activities/{activity}/undo/{what}"))
    if as_json:
        click.echo(json.dumps(found, indent=2))
        return
    click.echo(f"activity {activity}: what is stuck is {SAID[what]}")
