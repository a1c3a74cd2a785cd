"""`deployd tunnel`: the services of an environment on ports of this machine."""

from __future__ import annotations

import socket
from typing import Any

import click

from deployd.cli.client import DaemonAddress
from deployd.cli.command import daemon_options
from deployd.cli.exit_status import NO_SUCH_THING
from deployd.cli.output import harmless
from deployd.cli.ssh_address import PART, become, fail, parts_of, ssh_address

HERE = "127.0.0.1"


@click.command()
@daemon_options
@PART
@click.option("--port", type=click.IntRange(1, 65_535), help="Of this machine, for the first one.")
@click.argument("project")
@click.argument("environment")
@click.argument("relationships", nargs=-1)
def tunnel(
    daemon: DaemonAddress, part: str, port: int | None, project: str, environment: str, relationships: tuple[str, ...],
) -> None:
    """The services of an environment on ports of this machine.

    All its RELATIONSHIPS when none is named; until Ctrl-C.
    """
    address = ssh_address(daemon, project, environment, part)
    found = _wanted(parts_of(daemon, project, environment, part)["relationships"], relationships)
    ports = [port if port is not None and number == 0 else free_port() for number in range(len(found))]
    for item, local in zip(found, ports, strict=True):
        click.echo(harmless(f"{item['name']}: {HERE}:{local} → {item['name']}.internal:{item['port']}"), err=True)
    forwards = tuple(
        word for item, local in zip(found, ports, strict=True)
        for word in ("-L", f"{HERE}:{local}:{item['name']}.internal:{item['port']}")
    )
    become((*address.argv, "-N", "-o", "ExitOnForwardFailure=yes", *forwards, address.host))


def _wanted(there: list[dict[str, Any]], names: tuple[str, ...]) -> list[dict[str, Any]]:
    known = {item["name"]: item for item in there}
    missing = [name for name in names if name not in known]
    if missing or not there:
        what = f"there is no relationship {missing[0]}" if missing else "there are no relationships"
        fail(what, f"there is {', '.join(known) or 'none'}", NO_SUCH_THING)
    return [known[name] for name in names] if names else there


def free_port() -> int:
    """One on which nobody listens now."""
    with socket.socket() as probe:
        probe.bind((HERE, 0))
        return int(probe.getsockname()[1])
