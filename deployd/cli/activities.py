"""Commands of activities: `activities`, `log`, `cancel` and `undo`."""

from __future__ import annotations

import sys
from pathlib import Path

import click

from deployd.cli.activity_log import show_log
from deployd.cli.command import ask, json_option, project_option, socket_option
from deployd.cli.exit_status import NO_SUCH_THING
from deployd.cli.output import show, show_json

STATES = ("pending", "in_progress", "success", "failed", "cancelled", "superseded")
COLUMNS = ("id", "project", "branch", "kind", "commit", "state", "who", "created_at", "seconds", "reason")
UNDONE = {"retry": "tried again now", "skip": "left as it is; the rest goes on"}


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
    show(found["items"], COLUMNS, as_json=as_json)


@click.command()
@socket_option
@project_option
@click.option("-e", "--environment", help="Of the newest activity of this environment: its branch or machine name.")
@click.option("-f", "--follow", is_flag=True, help="Go on until the activity ends.")
@json_option
@click.argument("activity", type=click.IntRange(min=1), required=False)
def log(
    socket: Path, project: str | None, environment: str | None, follow: bool, as_json: bool, activity: int | None,
) -> None:
    """The log of an activity; without a number, of the newest one."""
    if activity is None:
        found = ask(socket, lambda client: client.get(
            "/api/v1/activities", project=project, environment=environment, limit=1,
        ))
        if not found["items"]:
            click.echo("deployd: there is no activity yet", err=True)
            sys.exit(NO_SUCH_THING)
        activity = int(found["items"][0]["id"])
    show_log(socket, activity, follow=follow, as_json=as_json)


@click.command()
@socket_option
@click.argument("activity", type=click.IntRange(min=1))
@json_option
def cancel(socket: Path, activity: int, as_json: bool) -> None:
    """End an activity before its switch. What it has begun is undone; the version that is live goes on."""
    found = ask(socket, lambda client: client.post(f"/api/v1/activities/{activity}/cancel"))
    if as_json:
        show_json(found)
        return
    click.echo(f"activity {activity} is asked to end (it is {found['state'].replace('_', ' ')})")


@click.command()
@socket_option
@click.argument("what", type=click.Choice(list(UNDONE)))
@click.argument("activity", type=click.IntRange(min=1))
@json_option
def undo(socket: Path, what: str, activity: int, as_json: bool) -> None:
    """Try an undo that is stuck at once, or skip it: then what it would have undone is yours to put right."""
    found = ask(socket, lambda client: client.post(f"/api/v1/activities/{activity}/undo/{what}"))
    if as_json:
        show_json(found)
        return
    click.echo(f"activity {activity}: what is stuck is {UNDONE[what]}")
