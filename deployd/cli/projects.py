"""`deployd projects`"""

from __future__ import annotations

from pathlib import Path

import click

from deployd.cli.talk import ask, json_option, show, socket_option


@click.command()
@socket_option
@json_option
def projects(socket: Path, as_json: bool) -> None:
    """Projects of the daemon, and where to push."""
    found = ask(socket, lambda client: client.get("/api/v1/projects"))
    show(found["items"], ("id", "title", "environments", "git", "remote"), as_json=as_json)
