"""`deployd stays`: who is in environments over SSH now."""

from __future__ import annotations

import click

from deployd.cli.client import DaemonAddress
from deployd.cli.command import ask, daemon_options, json_option, project_option
from deployd.cli.output import show

COLUMNS = ("since", "who", "key", "address", "project", "environment", "part", "kind", "said")


@click.command()
@daemon_options
@project_option
@json_option
def stays(daemon: DaemonAddress, project: str | None, as_json: bool) -> None:
    """Who is in environments over SSH now, oldest first."""
    found = ask(daemon, lambda client: client.get("/api/v1/stays", project=project))["items"]
    show(found, COLUMNS, as_json=as_json)
