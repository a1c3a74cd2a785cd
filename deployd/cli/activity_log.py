"""Showing an activity's log until it ends, and ending as it ended.

A daemon that is restarted meanwhile is waited for: the activity goes on with it, and so does the log.
"""

from __future__ import annotations

import asyncio
import json
import os
import sys
from typing import Any

import click

from deployd.activity.line import Line, render_line
from deployd.cli.client import Client, DaemonAddress, DaemonUnreachable, open_client
from deployd.cli.command import ask, run_asking
from deployd.cli.exit_status import FAILED, INTERRUPTED
from deployd.cli.output import harmless, show_json
from deployd.cli.reconnect import LOOK_AGAIN_SECONDS, Reconnect

BADLY = ("failed", "cancelled", "superseded")
STYLES: dict[str, dict[str, Any]] = {
    "phase": {"bold": True}, "warn": {"fg": "yellow"}, "done": {"fg": "green"}, "error": {"fg": "red"},
}
END_COLOURS = {"success": "green", "failed": "red"}
RESTART_SECONDS = 30.0
"""How long a daemon that has gone is waited for."""


class Screen:
    """Prints lines, and knows how far it is."""

    def __init__(self, *, as_json: bool = False, quiet: bool = False) -> None:
        self._as_json = as_json
        self._quiet = quiet
        self.last = 0
        self.state = ""
        """How the activity ended; empty before its last line."""

    def show(self, raw: dict[str, Any]) -> None:
        line = Line(**{**raw, "more": tuple(raw["more"])})
        self.last = line.number
        if line.kind == "end":
            self.state = line.where
        if self._as_json:
            click.echo(json.dumps(raw))
        elif not self._quiet:
            for text in render_line(line):
                click.echo(click.style(harmless(text), **_style(line)))   # click takes colours out of pipes


def show_log(daemon: DaemonAddress, activity: int, *, follow: bool, as_json: bool = False, quiet: bool = False) -> None:
    """Print the log; ends the program with 1 when the activity ended otherwise than well."""
    screen = Screen(as_json=as_json, quiet=quiet)

    async def read(client: Client) -> None:
        async for raw in client.stream(log_path(activity)):
            screen.show(raw)

    if follow:
        _until_interrupted(daemon, activity, screen)
    else:
        ask(daemon, read)
    if screen.state in BADLY:
        sys.exit(FAILED)


def started(daemon: DaemonAddress, activity: dict[str, Any], *, wait: bool, as_json: bool) -> None:
    """Say which activity was begun, and follow it. JSON is one document: the activity as it is at the end."""
    number = activity["id"]
    if not as_json:
        click.echo(f"activity {number}: {activity['kind']} of {activity['project']}/{activity['branch']}")
        if wait:
            show_log(daemon, number, follow=True)
        return
    if wait:
        _until_interrupted(daemon, number, Screen(quiet=True))
        activity = ask(daemon, lambda client: client.get(f"/api/v1/activities/{number}"))
    show_json(activity)
    if activity["state"] in BADLY:
        sys.exit(FAILED)


def log_path(activity: int) -> str:
    return f"/api/v1/activities/{activity}/log"


def _until_interrupted(daemon: DaemonAddress, activity: int, screen: Screen) -> None:
    try:
        run_asking(follow_log(daemon, activity, screen))
    except KeyboardInterrupt:
        click.echo(f"\ndeployd: activity {activity} goes on; `deployd log -f {activity}` shows the rest, "
                   f"`deployd cancel {activity}` ends it", err=True)
        sys.exit(INTERRUPTED)


async def follow_log(daemon: DaemonAddress, activity: int, screen: Screen) -> None:
    """Show a log until its activity ends.

    Raises:
        DaemonUnreachable: It was never there, or went and did not come back.
    """
    loop = asyncio.get_running_loop()
    reconnect = Reconnect(RESTART_SECONDS, loop.time())
    while not screen.state:
        began = loop.time()
        broken = DaemonUnreachable(f"the log of activity {activity} broke off",
                                   hint=f"`deployd log -f {activity}` goes on when the daemon is there again")
        try:
            async with open_client(daemon) as client:
                async for raw in client.stream(log_path(activity), follow=1, after=screen.last):
                    reconnect.heard(loop.time())
                    screen.show(raw)
                reconnect.has_met = True
        except DaemonUnreachable as error:
            if not reconnect.has_met:
                raise
            broken = error
        if not screen.state:
            if reconnect.is_over(began, loop.time()):
                raise broken
            await asyncio.sleep(LOOK_AGAIN_SECONDS)


def _style(line: Line) -> dict[str, Any]:
    if "NO_COLOR" in os.environ:
        return {"reset": False}
    return {"fg": END_COLOURS.get(line.where, "yellow")} if line.kind == "end" else STYLES.get(line.kind, {})
