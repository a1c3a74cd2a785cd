"""`deployd access-log`: requests of an environment's visitors."""

from __future__ import annotations

import json
from typing import Any

import click

from deployd.cli.client import Client, DaemonAddress, environment_path
from deployd.cli.command import ask, daemon_options, json_option
from deployd.cli.output import harmless

LINES = 100


@click.command("access-log")
@daemon_options
@click.option("-n", "--lines", type=click.IntRange(min=0), default=LINES, show_default=True, help="Of the past.")
@click.option("-f", "--follow", is_flag=True, help="Go on with the requests that come.")
@json_option
@click.argument("project")
@click.argument("environment")
def access_log(daemon: DaemonAddress, project: str, environment: str, lines: int, follow: bool, as_json: bool) -> None:
    """Requests of an environment's visitors, oldest first."""

    path = environment_path(project, environment, "access-log")

    async def read(client: Client) -> None:
        async for request in client.stream(path, follow=int(follow), lines=lines):
            click.echo(json.dumps(request) if as_json else harmless(line_of(request)))

    try:
        ask(daemon, read)
    except KeyboardInterrupt:
        return


def line_of(request: dict[str, Any]) -> str:
    """A request for people."""
    cache = f" {request['cache']}" if request["cache"] else ""
    return (
        f"{request['at'][:19].replace('T', ' ')} {request['status']} {request['seconds']:.3f} s{cache} "
        f"{request['client']} {request['method']} {request['host']}{request['path']} {request['bytes']} B"
    )
