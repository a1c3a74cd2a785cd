"""`deployd status`: how the daemon is, for people and for monitors that read exit statuses."""

from __future__ import annotations

import sys
from typing import Any

import click

from deployd.cli.client import DaemonAddress
from deployd.cli.command import ask, daemon_options, json_option
from deployd.cli.exit_status import FAILED
from deployd.cli.output import show_json, size
from deployd.cli.watch import keep_shown, watch_option


@click.command()
@daemon_options
@watch_option
@json_option
def status(daemon: DaemonAddress, watch: bool, as_json: bool) -> None:
    """How the daemon is; ends with 1 when it is degraded."""
    if watch:
        keep_shown(daemon, "/status", {"environments": 0}, _show, as_json=as_json)
        return
    found = ask(daemon, lambda client: client.get("/status", environments=0))
    if as_json:
        show_json(found)
    else:
        _show(found)
    if found["state"] != "ok":
        sys.exit(FAILED)


def _show(found: Any) -> None:
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
