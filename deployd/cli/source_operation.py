"""`deployd source-operation …`: commands that change the code of a branch."""

from __future__ import annotations

import click

from deployd.cli.activity_log import started
from deployd.cli.client import DaemonAddress, environment_path
from deployd.cli.command import ask, daemon_options, json_option
from deployd.cli.output import harmless, show, show_json

COLUMNS = ("name", "applications", "pushes_to", "refused")
PATH = "source-operations"


@click.group("source-operation")
def source_operation() -> None:
    """Source operations of a branch: list them, and run one.

    What one commits is pushed to the branch, and deployed as any push. ENVIRONMENT is its branch or its machine name.
    """


@source_operation.command("list")
@daemon_options
@click.argument("project")
@click.argument("environment")
@json_option
def list_source_operations(daemon: DaemonAddress, project: str, environment: str, as_json: bool) -> None:
    """Source operations that the files of the branch name."""
    items = ask(daemon, lambda client: client.get(environment_path(project, environment, PATH)))["items"]
    if as_json:
        show_json(items)
        return
    show([{**item, "applications": ", ".join(item["commands"])} for item in items], COLUMNS, as_json=False)


@source_operation.command()
@daemon_options
@click.argument("project")
@click.argument("environment")
@click.argument("name")
@click.option("--plan", "only_plan", is_flag=True, help="Only say what would run, and where it would be pushed.")
@click.option("--no-wait", is_flag=True, help="Do not wait for its end.")
@json_option
def run(
    daemon: DaemonAddress, project: str, environment: str, name: str, only_plan: bool, no_wait: bool, as_json: bool,
) -> None:
    """Run a source operation in a clone of the branch, and push what it commits."""
    if only_plan:
        _plan(daemon, project, environment, name, as_json=as_json)
        return
    path = environment_path(project, environment, PATH, "run")
    made = ask(daemon, lambda client: client.post(path, {"operation": name}))
    started(daemon, made, wait=not no_wait, as_json=as_json)


def _plan(daemon: DaemonAddress, project: str, environment: str, name: str, *, as_json: bool) -> None:
    items = ask(daemon, lambda client: client.get(environment_path(project, environment, PATH)))["items"]
    found = [item for item in items if item["name"] == name]
    if as_json:
        show_json(found)
        return
    if not found:
        raise click.ClickException(f"there is no source operation {name}; `deployd source-operation list` shows them")
    if found[0]["refused"]:
        click.echo(f"refused: {harmless(found[0]['refused'])}")
    for app, command in found[0]["commands"].items():
        click.echo(f"would run in a clone, as a build of {harmless(app)} does:")
        for line in command.splitlines():
            click.echo(f"    {harmless(line)}")
    click.echo(f"what is committed would be pushed to {harmless(found[0]['pushes_to'])}, and be deployed")
