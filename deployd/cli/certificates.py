"""`deployd certificates`: what each host shows over TLS, and why no better one."""

from __future__ import annotations

from pathlib import Path

import click

from deployd.cli.command import ask, json_option, project_option, socket_option
from deployd.cli.output import show


@click.command()
@socket_option
@project_option
@json_option
def certificates(socket: Path, project: str | None, as_json: bool) -> None:
    """What each host shows over TLS, and what stands in the way of a better one."""
    found = ask(socket, lambda client: client.get("/api/v1/certificates", project=project))
    show(found["items"], ("host", "project", "kind", "state", "ends", "why", "again_at"), as_json=as_json)
