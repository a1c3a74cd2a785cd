"""`deployd certificates`: what each host shows over TLS, and why no better one."""

from __future__ import annotations

import click

from deployd.cli.client import DaemonAddress
from deployd.cli.command import ask, daemon_options, json_option, project_option
from deployd.cli.output import show


@click.command()
@daemon_options
@project_option
@json_option
def certificates(daemon: DaemonAddress, project: str | None, as_json: bool) -> None:
    """What each host shows over TLS, and what stands in the way of a better one."""
    found = ask(daemon, lambda client: client.get("/api/v1/certificates", project=project))
    show(found["items"], ("host", "project", "kind", "state", "ends", "why", "again_at"), as_json=as_json)
