"""`deployd logs`: what the containers and crons of an environment print.

Who follows goes on when the daemon is restarted: every line says its place.
"""

from __future__ import annotations

import asyncio
import json
import os
import re
from datetime import UTC, datetime, timedelta
from typing import Any

import click

from deployd.cli.client import DaemonAddress, DaemonUnreachable, environment_path, open_client
from deployd.cli.command import daemon_options, json_option, run_asking
from deployd.cli.output import harmless
from deployd.cli.reconnect import LOOK_AGAIN_SECONDS, Reconnect

RESTART_SECONDS = 60.0
"""How long a daemon that has gone is waited for."""
AGO = re.compile(r"([0-9]+)(s|m|h|d)")
SECONDS = {"s": 1, "m": 60, "h": 3600, "d": 86_400}
COLOURS = {"stderr": "yellow", "deployd": "cyan"}


@click.command()
@daemon_options
@click.option("--app", help="Only of this application and its web server.")
@click.option("--worker", help="Only of this worker: `mailer`, or `shop--mailer`.")
@click.option("--service", help="Only of this service.")
@click.option("--cron", help="Only of this cron.")
@click.option("--version", type=click.IntRange(min=1), help="Only of the version that this activity made.")
@click.option("-f", "--follow", is_flag=True, help="Go on with what is printed.")
@click.option("--since", help="Ten minutes ago is `10m` (s, m, h, d); or a date, or the `time` of a line.")
@click.option("-n", "--lines", type=click.IntRange(min=0), help="The last ones; 100 without --since.")
@json_option
@click.argument("project")
@click.argument("environment")
def logs(
    daemon: DaemonAddress, project: str, environment: str, follow: bool, since: str | None, lines: int | None,
    as_json: bool, **wanted: Any,
) -> None:
    """What the containers and crons of an environment print, oldest first."""
    asked = {**wanted, "lines": lines, **_place(since)}
    screen = _Screen(as_json=as_json)
    try:
        run_asking(_show(daemon, environment_path(project, environment, "logs"), asked, screen, follow=follow))
    except KeyboardInterrupt:
        return


class _Screen:
    """Prints lines, and knows the place of the last one."""

    def __init__(self, *, as_json: bool) -> None:
        self._as_json = as_json
        self.last: str | None = None

    def show(self, line: dict[str, Any]) -> None:
        self.last = line["time"]
        if self._as_json:
            click.echo(json.dumps(line))
        else:
            colour = None if "NO_COLOR" in os.environ else COLOURS.get(line["stream"])
            click.echo(click.style(harmless(text_of(line)), fg=colour))   # click takes colours out of pipes


def text_of(line: dict[str, Any]) -> str:
    """A line for people."""
    kind, name, app = line["kind"], line["name"], line["app"]
    who = {"app": name, "service": name}.get(kind, f"{app} {kind}" if kind == "web" else f"{app} {kind} {name}".strip())
    return f"{line['time'][:19].replace('T', ' ')} {who} | {line['text']}"


async def _show(daemon: DaemonAddress, path: str, asked: dict[str, Any], screen: _Screen, *, follow: bool) -> None:
    """
    Raises:
        DaemonUnreachable: It was never there, or went and did not come back.
    """
    loop = asyncio.get_running_loop()
    reconnect = Reconnect(RESTART_SECONDS, loop.time())
    while True:
        if screen.last is not None:
            asked = {**asked, "since": None, "lines": None, "after": screen.last}
        began = loop.time()
        try:
            async with open_client(daemon) as client:
                async for line in client.stream(path, **asked, follow=int(follow)):
                    reconnect.heard(loop.time())
                    screen.show(line)
            reconnect.heard(loop.time())
        except DaemonUnreachable:
            if not follow or reconnect.is_over(began, loop.time()):
                raise
        if not follow:
            return
        await asyncio.sleep(LOOK_AGAIN_SECONDS)


def _place(since: str | None) -> dict[str, str]:
    if since is None:
        return {}
    if ago := AGO.fullmatch(since):
        return {"since": (datetime.now(UTC) - timedelta(seconds=int(ago[1]) * SECONDS[ago[2]])).isoformat()}
    return {"after" if len(since) > len("2026-01-01T00:00:00Z") and since.endswith("Z") else "since": since}
