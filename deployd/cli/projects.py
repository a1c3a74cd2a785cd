"""`deployd projects`: which there are, and where to push."""

from __future__ import annotations

from pathlib import Path

import click

from deployd.cli.command import ask, json_option, socket_option
from deployd.cli.output import show


@click.command()
@socket_option
@json_option
def projects(socket: Path, as_json: bool) -> None:
    """Projects of the daemon, and where to push."""
    found = ask(socket, lambda client: client.get("/api/v1/projects"))
    show(found["items"], ("id", "title", "environments", "git", "remote"), as_json=as_json)
