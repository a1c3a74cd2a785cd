"""`deployd status`: how the daemon is, for people and for monitors that read exit statuses."""

from __future__ import annotations

import sys
from pathlib import Path

import click

from deployd.cli.command import ask, json_option, socket_option
from deployd.cli.exit_status import FAILED
from deployd.cli.output import show_json, size


@click.command()
@socket_option
@json_option
def status(socket: Path, as_json: bool) -> None:
    """How the daemon is; ends with 1 when it is degraded."""
    found = ask(socket, lambda client: client.get("/status", environments=0))
    if as_json:
        show_json(found)
    else:
        counts = found["activities"]
        click.echo(f"deployd {found['version']}: {found['state']}, up {found['uptime_seconds']} s")
        click.echo(f"activities: {counts['in_progress']} in progress, {counts['pending']} waiting, "
                   f"{counts['failed_last_hour']} failed in the last hour")
        click.echo(f"router: {found['router'].get('held_now', 0)} requests held")
        click.echo(f"disk: {found['disk']['free_mb']} MB free")
        if last := found["collected"]:
            went = sum(last["things"].values())
            click.echo(f"housekeeping: {went} things went, {size(last['size_bytes'])}, {last['at']}")
        for reason in found["reasons"]:
            click.echo(f"! {reason}")
    if found["state"] != "ok":
        sys.exit(FAILED)
