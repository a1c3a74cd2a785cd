"""`deployd crons` and `deployd run-cron`"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import click

from deployd.cli.talk import ask, json_option, show, socket_option
from deployd.cli.terminal import harmless


@click.command()
@socket_option
@click.argument("project")
@click.argument("environment")
@json_option
def crons(socket: Path, project: str, environment: str, as_json: bool) -> None:
    """Crons of what is live in an environment, when they run next and how they ended last.

    ENVIRONMENT is its branch or its machine name.
    """
    items = ask(socket, lambda client: client.crons(project, environment))
    if not as_json:
        items = [_row(item) for item in items]
    show(items, ("app", "cron", "schedule", "next", "state", "last", "ended"), as_json=as_json)


@click.command("run-cron")
@socket_option
@click.argument("project")
@click.argument("environment")
@click.argument("app")
@click.argument("cron")
@json_option
def run_cron(socket: Path, project: str, environment: str, app: str, cron: str, as_json: bool) -> None:
    """Run a cron now, or as soon as it may.

    It waits for other crons of its APP and for a deployment that goes on. ENVIRONMENT is its branch or its machine
    name.
    """
    made = ask(socket, lambda client: client.run_cron(project, environment, app, cron))
    if as_json:
        click.echo(json.dumps(made, indent=2))
    else:
        click.echo(f"{cron} of {app} runs as soon as it may: deployd logs {project} {environment} --cron {cron}")


def _row(item: dict[str, Any]) -> dict[str, Any]:
    last = item["last"]
    return {
        "app": item["app"], "cron": harmless(item["name"]), "schedule": harmless(item["spec"]),
        "next": item["next_due"], "state": item["state"], "last": last["state"] if last else "",
        "ended": last["ended"] if last else "",
    }
