"""`deployd projects`: which there are, and where to push."""

from __future__ import annotations

import click

from deployd.cli.client import DaemonAddress
from deployd.cli.command import ask, daemon_options, json_option
from deployd.cli.output import show


@click.command()
@daemon_options
@json_option
def projects(daemon: DaemonAddress, as_json: bool) -> None:
    """Projects of the daemon, and where to push."""
    found = ask(daemon, lambda client: client.get("/api/v1/projects"))
    show(found["items"], ("id", "title", "environments", "git", "remote"), as_json=as_json)
