"""`deployd ssh` and `deployd sql`: a shell, a command or the client of a database in an environment."""

from __future__ import annotations

import shlex
import sys

import click

from deployd.cli.client import DaemonAddress
from deployd.cli.command import daemon_options
from deployd.cli.ssh_address import PART, become, one_line, ssh_address

SQL = "deployd-sql"
"""What the other end calls it."""


@click.command()
@daemon_options
@PART
@click.argument("project")
@click.argument("environment")
@click.argument("command", nargs=-1)
def ssh(daemon: DaemonAddress, part: str, project: str, environment: str, command: tuple[str, ...]) -> None:
    """A shell in an environment's application, or a command there.

    For example: deployd ssh shop main -- php -v

    One word is a command line for the shell there; several are one program with its arguments. It ends with the
    command's status.
    """
    address = ssh_address(daemon, project, environment, part)
    terminal = ("-t",) if sys.stdin.isatty() and sys.stdout.isatty() else ()
    become((*address.argv, *terminal, address.host, *(("--", one_line(command)) if command else ())))


@click.command()
@daemon_options
@PART
@click.option("-r", "--relationship", default="", help="Another one than the first with a database.")
@click.argument("project")
@click.argument("environment")
@click.argument("arguments", nargs=-1)
def sql(
    daemon: DaemonAddress, part: str, relationship: str, project: str, environment: str, arguments: tuple[str, ...],
) -> None:
    """The client of an environment's database, as its application comes in.

    For example: deployd sql shop main < dump.sql

    ARGUMENTS are the client's own: deployd sql shop main -- -e 'SELECT 1'
    """
    address = ssh_address(daemon, project, environment, part)
    words = [SQL, *([relationship] if relationship else []), *(["--", *arguments] if arguments else [])]
    terminal = ("-t",) if sys.stdin.isatty() and sys.stdout.isatty() and not arguments else ()
    become((*address.argv, *terminal, address.host, "--", shlex.join(words)))
