"""What commands that ask the daemon share: options, the asking, and how it ends when it goes wrong."""

from __future__ import annotations

import asyncio
import os
import sys
from collections.abc import Awaitable, Callable, Coroutine
from functools import wraps
from pathlib import Path
from typing import Any, NoReturn, TypeVar

import click

from deployd.cli.client import Client, DaemonAddress, DaemonUnreachable, Refused, open_client
from deployd.cli.exit_status import FAILED, NO_SUCH_THING, REFUSED, UNREACHABLE, USAGE
from deployd.cli.hosts import DEFAULT_SOCKET, HostUnknown, address_of_daemon
from deployd.cli.output import harmless
from deployd.errors import DeployError

T = TypeVar("T")

BY_STATUS = {400: USAGE, 404: NO_SUCH_THING}
DAEMON_FAILED = 500

json_option = click.option("--json", "as_json", is_flag=True, help="JSON for programs instead of text for people.")
project_option = click.option("-p", "--project", help="Only of this project.")


def daemon_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """Decorates a command that asks a daemon: it is given `daemon`, where that one answers."""
    @click.option("--socket", type=click.Path(path_type=Path), help=f"The daemon's socket: {DEFAULT_SOCKET}.")
    @click.option("--context", help="A host of `deployd context`, or `local` for the daemon of this machine.")
    @wraps(command)
    def run(*arguments: Any, socket: Path | None, context: str | None, **more: Any) -> Any:
        try:
            daemon = address_of_daemon(socket, context, os.environ)
        except DeployError as error:
            end(error)
        return command(*arguments, daemon=daemon, **more)

    return run


def ask(daemon: DaemonAddress, question: Callable[[Client], Awaitable[T]]) -> T:
    """Ask the daemon; what goes wrong ends the program with one sentence, how to mend it, and a status."""

    async def asking() -> T:
        async with open_client(daemon) as client:
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
    if isinstance(error, HostUnknown):
        return USAGE
    if isinstance(error, Refused) and error.status < DAEMON_FAILED:
        return BY_STATUS.get(error.status, REFUSED)
    return FAILED
