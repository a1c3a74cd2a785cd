"""`deployd audit`"""

from __future__ import annotations

import sys

import click

from deployd.cli.client import DaemonAddress
from deployd.cli.command import ask, daemon_options, json_option, project_option
from deployd.cli.exit_status import FAILED
from deployd.cli.output import show, show_json

COLUMNS = ("number", "at", "who", "by", "address", "action", "project", "environment", "result", "said")


@click.command()
@daemon_options
@project_option
@click.option("--limit", type=click.IntRange(1, 1000), default=20, show_default=True, help="How many, newest first.")
@click.option("--before", type=click.IntRange(min=1), help="Only those with a smaller number.")
@click.option("--verify", is_flag=True, help="Whether nobody altered the log or took something out of it.")
@json_option
def audit(
    daemon: DaemonAddress, project: str | None, limit: int, before: int | None, verify: bool, as_json: bool,
) -> None:
    """Who changed what, newest first."""
    if verify:
        return _verify(daemon, as_json=as_json)
    found = ask(daemon, lambda client: client.get("/api/v1/audit", project=project, limit=limit, before=before))
    items = found["items"]
    if not as_json:
        items = [{**item, "at": item["at"][:19].replace("T", " ")} for item in items]
    return show(items, COLUMNS, as_json=as_json)


def _verify(daemon: DaemonAddress, *, as_json: bool) -> None:
    found = ask(daemon, lambda client: client.get("/api/v1/audit/check"))
    broken = found["first_broken"]
    if as_json:
        show_json(found)
    elif broken is None:
        click.echo(f"{found['number']} entries, and each follows from the one before; the last has the hash\n"
                   f"{found['hash'] or '-'}")
    else:
        click.echo(f"entry {broken} does not follow from the one before: somebody altered the log, or took something "
                   "out of it", err=True)
    if broken is not None:
        sys.exit(FAILED)
