"""`deployd environments`"""

from __future__ import annotations

from pathlib import Path

import click

from deployd.cli.talk import ask, json_option, project_option, show, socket_option
from deployd.cli.terminal import harmless


@click.command()
@socket_option
@project_option
@json_option
def environments(socket: Path, project: str | None, as_json: bool) -> None:
    """Environments, what is live in them and where to look at it."""
    found = ask(socket, lambda client: client.get("/api/v1/environments", project=project))
    columns = ("project", "branch", "type", "state", "commit", "activity", "since", "url")
    show(found["items"], columns, as_json=as_json)
    if not as_json:
        for item in found["items"]:
            for sentence in item["killed"]:
                click.echo(f"! {item['project']}/{item['branch']}: {harmless(sentence)}")
