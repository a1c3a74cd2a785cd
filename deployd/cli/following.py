"""Showing an activity's log until it ends, and ending as it ended."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import click

from deployd.activity.log import Line
from deployd.activity.render import render_line
from deployd.cli.talk import FAILED, ask
from deployd.client import Client


def show_log(socket: Path, activity: int, *, follow: bool) -> None:
    """Print the log; ends the program with 1 when the activity ended otherwise than well."""

    async def run(client: Client) -> str:
        state = ""
        async for raw in client.log(activity, follow=follow):
            line = Line(**{**raw, "more": tuple(raw["more"])})
            state = line.where if line.kind == "end" else state
            for text in render_line(line):
                click.echo(text)
        return state

    if ask(socket, run) in ("failed", "cancelled", "superseded"):
        sys.exit(FAILED)


def started(socket: Path, activity: dict[str, Any], *, wait: bool) -> None:
    """Say which activity was made of a wish, and follow it."""
    click.echo(f"activity {activity['id']}: {activity['kind']} of {activity['project']}/{activity['environment']}")
    if wait:
        show_log(socket, activity["id"], follow=True)
