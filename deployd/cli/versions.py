"""Commands of versions and ends of environments: `versions` and `delete`."""

from __future__ import annotations

from typing import Any

import click

from deployd.cli.activity_log import started
from deployd.cli.client import DaemonAddress, environment_path
from deployd.cli.command import ask, daemon_options, json_option
from deployd.cli.output import harmless, show, show_json

COLUMNS = ("activity", "kind", "commit", "subject", "author", "who", "since", "live")


@click.command()
@daemon_options
@click.argument("project")
@click.argument("environment")
@json_option
def versions(daemon: DaemonAddress, project: str, environment: str, as_json: bool) -> None:
    """What was live in an environment, newest first: `deployd rollback --to` goes back to one of them.

    ENVIRONMENT is its branch or its machine name.
    """
    items = ask(daemon, lambda client: client.get(environment_path(project, environment, "versions")))["items"]
    if as_json:
        show_json(items)
        return
    show([{**item, "subject": harmless(item["subject"]), "author": harmless(item["author"]), "live": _live(item)}
          for item in items], COLUMNS, as_json=False)
    for item in items:
        if item["bad"]:
            click.echo(f"! activity {item['activity']} was a bad release: {harmless(item['bad'])}")


def _live(item: dict[str, Any]) -> str:
    return ", ".join(filter(None, ("live" if item["live"] else "", "bad" if item["bad"] else "")))


@click.command()
@daemon_options
@click.argument("project")
@click.argument("environment")
@click.option("--yes", is_flag=True, help="Do not ask for the name of the branch.")
@click.option("--no-wait", is_flag=True, help="Do not wait for its end.")
@json_option
def delete(daemon: DaemonAddress, project: str, environment: str, yes: bool, no_wait: bool, as_json: bool) -> None:
    """End an environment, as a deleted branch does; the branch stays in the repository.

    ENVIRONMENT is its branch or its machine name. That of the production branch cannot be deleted.
    """
    if not yes:
        path = environment_path(project, environment, "forecast")
        forecast = ask(daemon, lambda client: client.get(path, kind="delete"))
        for line in forecast["lines"]:
            click.echo(line, err=True)
        click.echo(f"its data {forecast['data']}", err=True)
        typed = click.prompt(f"To delete {project}/{forecast['branch']}, type the name of its branch", err=True)
        if typed != forecast["branch"]:
            raise click.ClickException("that is another name: nothing was deleted")
    made = ask(daemon, lambda client: client.delete(environment_path(project, environment)))
    started(daemon, made, wait=not no_wait, as_json=as_json)
