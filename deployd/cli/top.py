"""`deployd top`: what applications, workers and services use. It asks twice: how busy they are is what lies between."""

from __future__ import annotations

import asyncio
import json
import sys
from datetime import datetime
from typing import Any

import click

from deployd.cli.client import Client, DaemonAddress, open_client
from deployd.cli.command import daemon_options, json_option, run_asking
from deployd.cli.output import show, size

BETWEEN_SECONDS, AGAIN_SECONDS = 1.0, 2.0
CLEAR = "\x1b[H\x1b[2J"
COLUMNS = ("project", "environment", "kind", "name", "cpu", "memory", "limit", "restarts", "kills", "disk")
Items = list[dict[str, Any]]


@click.command()
@daemon_options
@click.option("-f", "--follow", is_flag=True, help="Again every two seconds, in place of what was shown.")
@json_option
@click.argument("project", required=False)
@click.argument("environment", required=False)
def top(daemon: DaemonAddress, project: str | None, environment: str | None, follow: bool, as_json: bool) -> None:
    """What applications, workers and services use, those that use most first."""
    try:
        run_asking(_show(daemon, project, environment, follow=follow, as_json=as_json))
    except KeyboardInterrupt:
        return


async def _show(
    daemon: DaemonAddress, project: str | None, environment: str | None, *, follow: bool, as_json: bool,
) -> None:
    async with open_client(daemon) as client:
        before, pause = await _usage(client, project, environment), BETWEEN_SECONDS
        while True:
            await asyncio.sleep(pause)
            now = await _usage(client, project, environment)
            _print(with_cores(before, now), follow=follow, as_json=as_json)
            if not follow:
                return
            before, pause = now, AGAIN_SECONDS


async def _usage(client: Client, project: str | None, environment: str | None) -> Items:
    found = await client.get("/api/v1/usage", project=project, environment=environment)
    return list(found["items"])


def with_cores(before: Items, now: Items) -> Items:
    """The second answer with `cores`: processors that were busy in between. Those that use most come first."""
    earlier = {_part(item): item for item in before}
    found = []
    for item in now:
        first = earlier.get(_part(item))
        found.append({**item, "cores": _cores(first, item) if first is not None else 0.0})
    return sorted(found, key=lambda item: (-item["cores"], -item["memory_bytes"], _part(item)))


def _cores(first: dict[str, Any], then: dict[str, Any]) -> float:
    seconds = (datetime.fromisoformat(then["at"]) - datetime.fromisoformat(first["at"])).total_seconds()
    used = then["cpu_seconds"] - first["cpu_seconds"]
    if used < 0:
        used = then["cpu_seconds"]
    return round(used / seconds, 3) if seconds > 0 else 0.0


def _print(items: Items, *, follow: bool, as_json: bool) -> None:
    if as_json:
        click.echo(json.dumps(items, indent=None if follow else 2))
        return
    if follow and sys.stdout.isatty():
        click.echo(CLEAR, nl=False)
    show([_row(item) for item in items], COLUMNS, as_json=False)


def _row(item: dict[str, Any]) -> dict[str, Any]:
    limit, disk = item["memory_limit_bytes"], item["disk_bytes"]
    runs = item["containers"] > 0
    return {
        **item, "cpu": f"{item['cores'] * 100:.1f} %" if runs else None,
        "memory": size(item["memory_bytes"]) if runs else None, "limit": size(limit) if limit is not None else None,
        "disk": size(disk) if disk is not None else None,
    }


def _part(item: dict[str, Any]) -> tuple[str, ...]:
    return item["project"], item["environment"], item["kind"], item["name"]
