"""`deployd check`: what a push of this folder would be told, without a daemon and without root.

Exit statuses: 0 nothing wrong (warnings allowed), 2 the command was used wrongly, 3 errors.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path

import click

from deployd.cli.exits import CONFIGURATION, WELL

_DIALECTS = ("magento", "platformsh", "upsun")


@click.command()
@click.argument("directory", type=click.Path(exists=True, file_okay=False, path_type=Path), default=".")
@click.option("--json", "as_json", is_flag=True, help="One JSON document, for editors and CI.")
@click.option(
    "--project-dialect",
    type=click.Choice(_DIALECTS),
    help="Read this spelling; the default is the one that the folder has.",
)
@click.option("--tolerant", is_flag=True, help="Unknown keys are warnings, as for projects with `tolerant: true`.")
def check(directory: Path, as_json: bool, project_dialect: str | None, tolerant: bool) -> None:
    """Check the configuration files of DIRECTORY, as a push would."""
    from deployd.cli.disk_tree import DiskTree
    from deployd.project.model import DIALECTS
    from deployd.project.reader import read_project
    from deployd.project.report import findings_as_json, render_findings
    from deployd.services.families import RUNNABLE

    dialect = next((item for item in DIALECTS.values() if item.name == project_dialect), None)
    result = read_project(DiskTree(directory), dialect=dialect, tolerant=tolerant, runnable=RUNNABLE)
    if as_json:
        click.echo(json.dumps({"valid": not result.errors, "findings": findings_as_json(result.findings)}, indent=2))
    else:
        for line in render_findings(result.findings, colour=sys.stdout.isatty()):
            click.echo(line)
        if result.config is not None:
            click.echo(summary(result.config))
    sys.exit(CONFIGURATION if result.errors else WELL)


def summary(config: object) -> str:
    """`1 application (shop), 2 services, 3 routes: nothing is wrong`"""
    from deployd.project.model import ProjectConfig

    assert isinstance(config, ProjectConfig)
    names = ", ".join(application.name for application in config.applications)
    counts = [
        _many(len(config.applications), "application") + f" ({names})",
        _many(len(config.services), "service"),
        _many(len(config.routes), "route"),
    ]
    return f"{', '.join(counts)}: a push would be accepted"


def _many(number: int, noun: str) -> str:
    return f"{number} {noun}{'' if number == 1 else 's'}"
