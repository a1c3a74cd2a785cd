"""What every command that talks to the daemon does the same: find it, ask it, show the answer, end with a status."""

from __future__ import annotations

import asyncio
import json
import sys
from collections.abc import Awaitable, Callable, Coroutine, Sequence
from pathlib import Path
from typing import Any, NoReturn, TypeVar

import click

from deployd.cli.exits import FAILED, NO_SUCH_THING, REFUSED, UNREACHABLE, USAGE
from deployd.cli.terminal import harmless
from deployd.client import Client, DaemonUnreachable, Refused, open_client
from deployd.errors import DeployError

T = TypeVar("T")

DEFAULT_SOCKET = Path("/run/deployd/api.sock")
WIDE = 220
"""Columns of a table that goes into a file or a pipe: lines are not folded there."""
BY_STATUS = {400: USAGE, 404: NO_SUCH_THING}
DAEMON_FAILED = 500

socket_option = click.option(
    "--socket", type=click.Path(path_type=Path), envvar="DEPLOYD_SOCKET", default=DEFAULT_SOCKET, show_default=True,
    help="The daemon's socket.",
)
json_option = click.option("--json", "as_json", is_flag=True, help="JSON for programs instead of text for people.")
project_option = click.option("-p", "--project", help="Only of this project.")


def ask(socket: Path, question: Callable[[Client], Awaitable[T]]) -> T:
    """Ask the daemon; what goes wrong ends the program with one sentence, how to mend it, and a status."""

    async def asking() -> T:
        async with open_client(socket) as client:
            return await question(client)

    return run_asking(asking())


def run_asking(asking: Coroutine[Any, Any, T]) -> T:
    """Run something that asks; see `ask`."""
    try:
        return asyncio.run(asking)
    except DeployError as error:
        end(error)


def end(error: DeployError) -> NoReturn:
    """Say what is wrong and end."""
    click.echo("deployd: " + "\n  ".join(harmless(line) for line in error.lines()), err=True)
    sys.exit(exit_status(error))


def exit_status(error: DeployError) -> int:
    if isinstance(error, DaemonUnreachable):
        return UNREACHABLE
    if isinstance(error, Refused) and error.status < DAEMON_FAILED:
        return BY_STATUS.get(error.status, REFUSED)
    return FAILED


def show(items: Sequence[dict[str, Any]], columns: Sequence[str], *, as_json: bool) -> None:
    """A table for people, or JSON for programs."""
    if as_json:
        click.echo(json.dumps(items, indent=2))
        return
    from rich.console import Console  # slow to load, and nobody else needs it
    from rich.table import Table
    from rich.text import Text

    table = Table(box=None, pad_edge=False, header_style="bold")
    for column in columns:
        table.add_column(column.replace("_", " "), overflow="fold")
    for item in items:
        # As Text: in a plain string rich reads `[…]` as its own markup.
        table.add_row(*(Text(harmless(_cell(column, item.get(column)))) for column in columns))
    Console(width=None if sys.stdout.isatty() else WIDE).print(table)


def _cell(column: str, value: Any) -> str:
    if value is None or value == "":
        return "-"
    if column == "commit":
        return str(value)[:8]
    if column == "seconds":
        return f"{value:.1f}"
    if column.endswith("_at") or column == "since":
        return str(value)[:19].replace("T", " ")
    return str(value)
