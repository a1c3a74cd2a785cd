"""`deployd activities`"""

from __future__ import annotations

from pathlib import Path

import click

from deployd.cli.talk import ask, json_option, project_option, show, socket_option

STATES = ("pending", "in_progress", "success", "failed", "cancelled", "superseded")


@click.command()
@socket_option
@project_option
@click.option("-e", "--environment", help="Only of this environment: its branch or its machine name.")
@click.option("--state", type=click.Choice(STATES), help="Only those in this state.")
@click.option("--limit", type=click.IntRange(1, 1000), default=20, show_default=True, help="How many, newest first.")
@json_option
def activities(
    socket: Path, project: str | None, environment: str | None, state: str | None, limit: int, as_json: bool,
) -> None:
    """Pushes, redeploys and rollbacks, newest first."""
    found = ask(socket, lambda client: client.get(
        "/api/v1/activities", project=project, environment=environment, state=state, limit=limit,
    ))
    if not as_json:
        for item in found["items"]:
            item["reason"] = item["reason"] or item["waits"]
    columns = ("id", "project", "branch", "kind", "commit", "state", "who", "created_at", "seconds", "reason")
    show(found["items"], columns, as_json=as_json)
