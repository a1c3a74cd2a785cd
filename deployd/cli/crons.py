"""Commands of crons: `crons` and `run-cron`."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from deployd.cli.client import environment_path
from deployd.cli.command import ask, json_option, socket_option
from deployd.cli.output import harmless, show, show_json

COLUMNS = ("app", "cron", "schedule", "next", "state", "last", "ended")


@click.command()
@socket_option
@click.argument("project")
@click.argument("environment")
@json_option
def crons(socket: Path, project: str, environment: str, as_json: bool) -> None:
    """Crons of what is live in an environment, when they run next and how they ended last.

    ENVIRONMENT is its branch or its machine name.
    """
    items = ask(socket, lambda client: client.get(environment_path(project, environment, "crons")))["items"]
    if as_json:
        show_json(items)
        return
    show([_row(item) for item in items], COLUMNS, as_json=False)


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
    path = environment_path(project, environment, "crons", "run")
    made = ask(socket, lambda client: client.post(path, {"app": app, "cron": cron}))
    if as_json:
        show_json(made)
    else:
        click.echo(f"{cron} of {app} runs as soon as it may: deployd logs {project} {environment} --cron {cron}")


def _row(item: dict[str, Any]) -> dict[str, Any]:
    last = item["last"]
    return {
        "app": item["app"], "cron": harmless(item["name"]), "schedule": harmless(item["spec"]),
        "next": item["next_due"], "state": item["state"], "last": last["state"] if last else "",
        "ended": last["ended"] if last else "",
    }
