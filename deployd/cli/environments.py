"""`deployd environments`"""

from __future__ import annotations

from pathlib import Path
from typing import Any

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
    items = found["items"]
    if not as_json:
        items = [{**item, "state": _state(item)} for item in items]
    show(items, columns, as_json=as_json)
    if not as_json:
        for item in items:
            for sentence in (*item["answers"], *item["killed"]):
                click.echo(f"! {item['project']}/{item['branch']}: {harmless(sentence)}")


def _state(item: dict[str, Any]) -> str:
    return ", ".join(filter(None, (
        item["state"], "locked" if item["lock"] else "", "answers wrongly" if item["answers"] else "",
    )))
