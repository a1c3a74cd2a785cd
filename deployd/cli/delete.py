"""`deployd delete`"""

from __future__ import annotations

from pathlib import Path

import click

from deployd.cli.following import started
from deployd.cli.talk import ask, json_option, socket_option


@click.command()
@socket_option
@click.argument("project")
@click.argument("environment")
@click.option("--yes", is_flag=True, help="Do not ask for the name of the branch.")
@click.option("--no-wait", is_flag=True, help="Do not wait for its end.")
@json_option
def delete(socket: Path, project: str, environment: str, yes: bool, no_wait: bool, as_json: bool) -> None:
    """End an environment, as a deleted branch does; the branch stays in the repository.

    ENVIRONMENT is its branch or its machine name. That of the production branch cannot be deleted.
    """
    if not yes:
        forecast = ask(socket, lambda client: client.forecast(project, environment, "delete"))
        for line in forecast["lines"]:
            click.echo(line, err=True)
        click.echo(f"its data {forecast['data']}", err=True)
        typed = click.prompt(f"To delete {project}/{forecast['branch']}, type the name of its branch", err=True)
        if typed != forecast["branch"]:
            raise click.ClickException("that is another name: nothing was deleted")
    made = ask(socket, lambda client: client.delete(project, environment))
    started(socket, made, wait=not no_wait, as_json=as_json)
