"""`deployd versions`"""

from __future__ import annotations

from pathlib import Path

import click

from deployd.cli.talk import ask, json_option, show, socket_option
from deployd.cli.terminal import harmless


@click.command()
@socket_option
@click.argument("project")
@click.argument("environment")
@json_option
def versions(socket: Path, project: str, environment: str, as_json: bool) -> None:
    """What was live in an environment, newest first: `deployd rollback --to` goes back to one of them.

    ENVIRONMENT is its branch or its machine name.
    """
    items = ask(socket, lambda client: client.versions(project, environment))
    columns = ("activity", "kind", "commit", "subject", "author", "who", "since", "live")
    if not as_json:
        items = [{**item, "subject": harmless(item["subject"]), "author": harmless(item["author"]),
                  "live": "live" if item["live"] else ""} for item in items]
    show(items, columns, as_json=as_json)
