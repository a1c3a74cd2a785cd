"""`deployd doctor`: everything that deployments need of this host, looked at one after the other."""

from __future__ import annotations

import asyncio
import os
import sys
from collections.abc import AsyncIterator
from pathlib import Path

import click

from deployd.cli.command import json_option
from deployd.cli.doctor.daemon import look_at_daemon
from deployd.cli.doctor.docker import look_at_docker
from deployd.cli.doctor.finding import WRONG, Finding, findings_as_json, render_finding, render_summary, wrong
from deployd.cli.doctor.firewall import look_at_firewall
from deployd.cli.doctor.host import look_at_clock, look_at_disk, look_at_folders, look_at_systemd, look_at_user
from deployd.cli.doctor.network import look_at_network
from deployd.cli.doctor.ports import look_at_ports
from deployd.cli.doctor.programs import look_at_git, look_at_slugs
from deployd.cli.doctor.settings import look_at_catalogue, look_at_production, look_at_settings
from deployd.cli.doctor.ssh import look_at_ssh
from deployd.cli.exit_status import FAILED
from deployd.cli.output import show_json
from deployd.errors import DeployError


@click.command()
@click.option("--settings", type=click.Path(path_type=Path), default=Path("/etc/deployd/deployd.yaml"),
              show_default=True, help="The settings file.")
@json_option
def doctor(settings: Path, as_json: bool) -> None:
    """Whether this host has what deployments need. Says how to mend what is missing; needs no daemon."""
    findings = asyncio.run(_examine(settings, quiet=as_json))
    if as_json:
        show_json(findings_as_json(findings))
    else:
        click.echo(render_summary(findings))
    sys.exit(FAILED if any(finding.state == WRONG for finding in findings) else 0)


async def _examine(path: Path, *, quiet: bool) -> list[Finding]:
    found = []
    async for finding in look(path, os.geteuid()):
        found.append(finding)
        if not quiet:
            click.echo("\n".join(render_finding(finding)))
    return found


async def look(path: Path, user: int) -> AsyncIterator[Finding]:
    """Every finding, as soon as it is known."""
    settings, findings = look_at_settings(path)
    catalogue, more = look_at_catalogue(settings)
    for finding in (*findings, *look_at_production(settings), *more, look_at_user(user), look_at_systemd(),
                    look_at_clock(), *look_at_folders(settings), look_at_network(settings)):
        yield finding
    yield await look_at_firewall(settings, user)
    yield await look_at_git()
    try:
        slugs = await look_at_slugs(settings, user)
    except DeployError as error:
        slugs = Finding.of("slugs", error)
    except OSError as error:
        slugs = wrong("slugs", f"cannot write a trial to {error.filename}: {error.strerror}", "look at the disk")
    yield slugs
    engine = await look_at_docker(settings, catalogue)
    for finding in (*engine.findings, *look_at_disk(settings, engine.folder),
                    *look_at_ports(settings, engine.router_id), *look_at_ssh(settings)):
        yield finding
    yield await look_at_daemon(settings)
