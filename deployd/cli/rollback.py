"""`deployd rollback`"""

from __future__ import annotations

from pathlib import Path

import click

from deployd.cli.following import started
from deployd.cli.talk import ask, json_option, socket_option


@click.command()
@socket_option
@click.argument("project")
@click.argument("environment")
@click.option("--to", type=click.IntRange(min=1),
              help="Activity whose version is wanted; without it, the version before the live one.")
@click.option("--lock/--no-lock", default=None,
              help="Whether pushes wait from now on until `deployd unlock`; production is locked unless you say no.")
@click.option("--no-wait", is_flag=True, help="Do not wait for its end.")
@json_option
def rollback(
    socket: Path, project: str, environment: str, to: int | None, lock: bool | None, no_wait: bool, as_json: bool,
) -> None:
    """Take an environment back to an earlier version.

    Nothing is built: the version's slugs are stored. ENVIRONMENT is its branch or its machine name. Production is
    locked with it, so that the next push does not take the rollback away: it is built, and waits for `deployd unlock`.
    """
    made = ask(socket, lambda client: client.rollback(project, environment, to, lock=lock))
    started(socket, made, wait=not no_wait, as_json=as_json)
