"""`deployd log`"""

from __future__ import annotations

import sys
from pathlib import Path

import click

from deployd.cli.exits import NO_SUCH_THING
from deployd.cli.following import show_log
from deployd.cli.talk import ask, json_option, project_option, socket_option


@click.command()
@socket_option
@project_option
@click.option("-e", "--environment", help="Of the newest activity of this environment: its branch or machine name.")
@click.option("-f", "--follow", is_flag=True, help="Go on until the activity ends.")
@json_option
@click.argument("activity", type=click.IntRange(min=1), required=False)
def log(
    socket: Path, project: str | None, environment: str | None, follow: bool, as_json: bool, activity: int | None,
) -> None:
    """The log of an activity; without a number, of the newest one."""
    if activity is None:
        found = ask(socket, lambda client: client.get(
            "/api/v1/activities", project=project, environment=environment, limit=1,
        ))
        if not found["items"]:
            click.echo("deployd: there is no activity yet", err=True)
            sys.exit(NO_SUCH_THING)
        activity = int(found["items"][0]["id"])
    show_log(socket, activity, follow=follow, as_json=as_json)
