"""`deployd collect`: housekeeping now, or what it would take away."""

from __future__ import annotations

from typing import Any

import click

from deployd.cli.client import DaemonAddress
from deployd.cli.command import ask, daemon_options, json_option
from deployd.cli.output import show, show_json, size

COLUMNS = ("kind", "name", "size", "since", "why")


@click.command()
@daemon_options
@click.option("-n", "--dry-run", is_flag=True, help="Only say what would go.")
@click.option("--deleted", is_flag=True,
              help="Also the data of deleted environments whose time of grace is not over.")
@json_option
def collect(daemon: DaemonAddress, dry_run: bool, deleted: bool, as_json: bool) -> None:
    """Take away what nobody needs any more, as the daemon does from time to time."""
    path = "/api/v1/collect"
    found = ask(daemon, lambda client: client.get(path, deleted="1" if deleted else "0") if dry_run
                else client.post(path, {"deleted": deleted}))
    if as_json:
        show_json(found)
        return
    if found["things"]:
        show([_row(thing) for thing in found["things"]], COLUMNS, as_json=False)
    short = "; the disk is short: what can be made again gets no time of grace" if found["disk_is_short"] else ""
    would = "would go" if dry_run else "went"
    click.echo(f"{len(found['things'])} things {would}, {size(found['size_bytes'])}{short}")


def _row(thing: dict[str, Any]) -> dict[str, str]:
    return {**thing, "size": size(thing["size_bytes"]), "since": thing["unneeded_since"]}
