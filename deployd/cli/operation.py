"""`deployd operation …`: commands of an application's file that people run on demand."""

from __future__ import annotations

from typing import Any

import click

from deployd.cli.activity_log import started
from deployd.cli.client import DaemonAddress, environment_path
from deployd.cli.command import ask, daemon_options, json_option
from deployd.cli.output import harmless, show, show_json

COLUMNS = ("name", "app", "role", "timeout", "start")
LONGEST_SHOWN = 80


@click.group()
def operation() -> None:
    """Operations of an environment's applications: list them, and run one.

    ENVIRONMENT is its branch or its machine name.
    """


@operation.command("list")
@daemon_options
@click.argument("project")
@click.argument("environment")
@json_option
def list_operations(daemon: DaemonAddress, project: str, environment: str, as_json: bool) -> None:
    """Operations of what is live, who may run them, and what they run."""
    items = ask(daemon, lambda client: client.get(environment_path(project, environment, "operations")))["items"]
    if as_json:
        show_json(items)
    else:
        show([_row(item) for item in items], COLUMNS, as_json=False)


@operation.command()
@daemon_options
@click.argument("project")
@click.argument("environment")
@click.argument("name")
@click.option("--app", help="Whose operation; may be left out when only one application has it.")
@click.option("--plan", "only_plan", is_flag=True, help="Only say what would run.")
@click.option("--no-wait", is_flag=True, help="Do not wait for its end.")
@json_option
def run(
    daemon: DaemonAddress, project: str, environment: str, name: str, app: str | None, only_plan: bool, no_wait: bool,
    as_json: bool,
) -> None:
    """Run an operation in its application's container, and show what it prints.

    It waits for what is under way in the environment. `deployd cancel` ends it, by its stop command.
    """
    if only_plan:
        items = ask(daemon, lambda client: client.get(environment_path(project, environment, "operations")))["items"]
        _tell_plan([item for item in items if item["name"] == name and app in (None, item["app"])], name, as_json)
        return
    path = environment_path(project, environment, "operations", "run")
    body = {"operation": name, **({"app": app} if app else {})}
    made = ask(daemon, lambda client: client.post(path, body))
    started(daemon, made, wait=not no_wait, as_json=as_json)


def _tell_plan(found: list[dict[str, Any]], name: str, as_json: bool) -> None:
    if as_json:
        show_json(found)
        return
    if not found:
        raise click.ClickException(f"there is no operation {name}; `deployd operation list` shows what there is")
    for item in found:
        click.echo(f"would run in the container of {item['app']}, for {item['role']}s and above,"
                   f" for {item['timeout_seconds']} s at most:")
        for line in item["start"].splitlines():
            click.echo(f"    {harmless(line)}")
        if item["stop"]:
            click.echo(f"  and to end it: {harmless(item['stop'])}")


def _row(item: dict[str, Any]) -> dict[str, Any]:
    first, *more = item["start"].strip().splitlines() or [""]
    shown = first[:LONGEST_SHOWN] + ("…" if more or len(first) > LONGEST_SHOWN else "")
    return {**item, "timeout": f"{item['timeout_seconds']} s", "start": shown}
