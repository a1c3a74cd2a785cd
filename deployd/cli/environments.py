"""`deployd environments`"""

from __future__ import annotations

from pathlib import Path

import click

from deployd.cli.talk import ask, json_option, project_option, show, socket_option


@click.command()
@socket_option
@project_option
@json_option
def environments(socket: Path, project: str | None, as_json: bool) -> None:
    """Environments, what is live in them and where to look at it."""
    found = ask(socket, lambda client: client.get("/api/v1/environments", project=project))
    columns = ("project", "branch", "type", "state", "commit", "activity", "since", "url")
    items = found["items"]
    if not as_json:
        items = [{**item, "state": f"{item['state']}, locked"} if item["lock"] else item for item in items]
    show(items, columns, as_json=as_json)
