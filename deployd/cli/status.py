"""`deployd status`"""

from __future__ import annotations

import json
import sys
from pathlib import Path

import click

from deployd.cli.collect import size
from deployd.cli.exits import FAILED
from deployd.cli.talk import ask, json_option, socket_option


@click.command()
@socket_option
@json_option
def status(socket: Path, as_json: bool) -> None:
    """How the daemon is; ends with 1 when it is degraded."""
    found = ask(socket, lambda client: client.get("/status", environments=0))
    if as_json:
        click.echo(json.dumps(found, indent=2))
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
