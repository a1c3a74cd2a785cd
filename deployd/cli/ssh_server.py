"""`deployd ssh-server`: the process that speaks SSH, as its unit starts it."""

from __future__ import annotations

import sys
from pathlib import Path

import click

from deployd.errors import DeployError


@click.command()
@click.option("--settings", type=click.Path(path_type=Path), default=Path("/etc/deployd/deployd.yaml"),
              show_default=True, help="The settings file; all but `run` the daemon tells it.")
def ssh_server(settings: Path) -> None:
    """Speak SSH for the daemon, as its unit starts it. Without systemd the daemon does."""
    from deployd.settings import load_settings
    from deployd.ssh.places import link_folder
    from deployd.ssh.process import main  # its libraries are loaded by nobody else

    try:
        run = load_settings(settings).run
    except DeployError as error:
        click.echo("deployd-ssh cannot start: " + "\n  ".join(error.lines()), err=True)
        sys.exit(1)
    main(link_folder(run))
