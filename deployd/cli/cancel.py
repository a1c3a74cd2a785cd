"""`deployd cancel`"""

from __future__ import annotations

from pathlib import Path

import click

from deployd.cli.talk import ask, socket_option


@click.command()
@socket_option
@click.argument("activity", type=int)
def cancel(socket: Path, activity: int) -> None:
    """End an activity; what it began is undone, unless it is past its switch."""
    found = ask(socket, lambda client: client.post(f"/api/v1/activities/{activity}/cancel"))
    click.echo(f"activity {activity} is asked to end (it is {found['state'].replace('_', ' ')})")
