"""`deployd serve`: the daemon itself."""

from __future__ import annotations

import sys
from pathlib import Path

import click

from deployd.errors import DeployError


@click.command()
@click.option("--settings", type=click.Path(path_type=Path), default=Path("/etc/deployd/deployd.yaml"),
              show_default=True, help="The settings file.")
def serve(settings: Path) -> None:
    """Run the daemon."""
    from deployd.daemon.serve import serve as run  # the daemon's libraries are loaded by nobody else

    try:
        run(settings)
    except DeployError as error:
        click.echo("deployd cannot start: " + "\n  ".join(error.lines()), err=True)
        sys.exit(1)
