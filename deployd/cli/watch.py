"""Lists that stay current: shown again when they are different, in place of what was shown."""

from __future__ import annotations

import asyncio
import json
import sys
from collections.abc import Callable
from typing import Any

import click

from deployd.cli.client import DaemonAddress, DaemonUnreachable, open_client
from deployd.cli.command import run_asking
from deployd.cli.reconnect import LOOK_AGAIN_SECONDS, Reconnect

AGAIN_SECONDS = 2.0
RESTART_SECONDS = 30.0
"""How long a daemon that has gone is waited for."""
CLEAR = "\x1b[H\x1b[2J"

watch_option = click.option(
    "-w", "--watch", is_flag=True, help="Look every two seconds, and show it again when it is different.",
)
Query = dict[str, str | int | None]


def keep_shown(daemon: DaemonAddress, path: str, query: Query, shown: Callable[[Any], None], *, as_json: bool) -> None:
    """Show what the API has at a path until somebody interrupts it. JSON is a line each time.

    Args:
        shown: Prints it for people.
    """
    try:
        run_asking(_watch(daemon, path, query, shown, as_json=as_json))
    except KeyboardInterrupt:
        return


async def _watch(
    daemon: DaemonAddress, path: str, query: Query, shown: Callable[[Any], None], *, as_json: bool,
) -> None:
    """
    Raises:
        DaemonUnreachable: It was never there, or went and did not come back.
    """
    loop, before = asyncio.get_running_loop(), None
    reconnect = Reconnect(RESTART_SECONDS, loop.time())
    while True:
        began, pause = loop.time(), AGAIN_SECONDS
        try:
            async with open_client(daemon) as client:
                now = await client.get(path, **query)
            reconnect.heard(loop.time())
        except DaemonUnreachable:
            if reconnect.is_over(began, loop.time()):
                raise
            now, pause = before, LOOK_AGAIN_SECONDS
        if now != before:
            _print(now, shown, as_json=as_json)
        before = now
        await asyncio.sleep(pause)


def _print(now: Any, shown: Callable[[Any], None], *, as_json: bool) -> None:
    if as_json:
        click.echo(json.dumps(now.get("items", now)))
        return
    if sys.stdout.isatty():
        click.echo(CLEAR, nl=False)
    shown(now)
