"""Commands of activities: `activities`, `log`, `cancel` and `undo`."""

from __future__ import annotations

import sys
from typing import Any

import click

from deployd.cli.activity_log import show_log
from deployd.cli.client import DaemonAddress
from deployd.cli.command import ask, daemon_options, json_option, project_option
from deployd.cli.exit_status import NO_SUCH_THING
from deployd.cli.output import show, show_json
from deployd.cli.watch import Query, keep_shown, watch_option

STATES = ("pending", "in_progress", "success", "failed", "cancelled", "superseded")
COLUMNS = ("id", "project", "branch", "kind", "commit", "state", "who", "created_at", "seconds", "reason")
PATH = "/api/v1/activities"
UNDONE = {"retry": "tried again now", "skip": "left as it is; the rest goes on"}


@click.command()
@daemon_options
@project_option
@click.option("-e", "--environment", help="Only of this environment: its branch or its machine name.")
@click.option("--state", type=click.Choice(STATES), help="Only those in this state.")
@click.option("--limit", type=click.IntRange(1, 1000), default=20, show_default=True, help="How many, newest first.")
@watch_option
@json_option
def activities(
    daemon: DaemonAddress, project: str | None, environment: str | None, state: str | None, limit: int, watch: bool,
    as_json: bool,
) -> None:
    """Pushes, redeploys and rollbacks, newest first."""
    query: Query = {"project": project, "environment": environment, "state": state, "limit": limit}
    if watch:
        return keep_shown(daemon, PATH, query, _show, as_json=as_json)
    found = ask(daemon, lambda client: client.get(PATH, **query))
    return show_json(found["items"]) if as_json else _show(found)


def _show(found: Any) -> None:
    show([{**item, "reason": item["reason"] or item["waits"]} for item in found["items"]], COLUMNS, as_json=False)


@click.command()
@daemon_options
@project_option
@click.option("-e", "--environment", help="Of the newest activity of this environment: its branch or machine name.")
@click.option("-f", "--follow", is_flag=True, help="Go on until the activity ends.")
@json_option
@click.argument("activity", type=click.IntRange(min=1), required=False)
def log(
    daemon: DaemonAddress, project: str | None, environment: str | None, follow: bool, as_json: bool,
    activity: int | None,
) -> None:
    """The log of an activity; without a number, of the newest one."""
    if activity is None:
        found = ask(daemon, lambda client: client.get(
            "/api/v1/activities", project=project, environment=environment, limit=1,
        ))
        if not found["items"]:
            click.echo("deployd: there is no activity yet", err=True)
            sys.exit(NO_SUCH_THING)
        activity = int(found["items"][0]["id"])
    show_log(daemon, activity, follow=follow, as_json=as_json)


@click.command()
@daemon_options
@click.argument("activity", type=click.IntRange(min=1))
@json_option
def cancel(daemon: DaemonAddress, activity: int, as_json: bool) -> None:
    """End an activity before its switch. What it has begun is undone; the version that is live goes on."""
    found = ask(daemon, lambda client: client.post(f"/api/v1/activities/{activity}/cancel"))
    if as_json:
        show_json(found)
        return
    click.echo(f"activity {activity} is asked to end (it is {found['state'].replace('_', ' ')})")


@click.command()
@daemon_options
@click.argument("what", type=click.Choice(list(UNDONE)))
@click.argument("activity", type=click.IntRange(min=1))
@json_option
def undo(daemon: DaemonAddress, what: str, activity: int, as_json: bool) -> None:
    """Try an undo that is stuck at once, or skip it: then what it would have undone is yours to put right."""
    found = ask(daemon, lambda client: client.post(f"/api/v1/activities/{activity}/undo/{what}"))
    if as_json:
        show_json(found)
        return
    click.echo(f"activity {activity}: what is stuck is {UNDONE[what]}")
