"""`deployd check`: what a push of this folder would be told, without a daemon and without root.

Exit statuses: 0 nothing wrong (warnings allowed), 2 the command was used wrongly, 3 errors in the files, 7 the files
are right, but the catalogue has not what they ask for.
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING

import click

from deployd.cli.exit_status import CANNOT_RUN, CONFIGURATION, WELL
from deployd.cli.output import show_json

if TYPE_CHECKING:   # loaded when it runs: `--help` need not wait for it
    from deployd.project.model import ProjectConfig

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
@click.option("--nearest", is_flag=True, help="Missing versions are warnings, as with `runtime_fallback: nearest`.")
@click.option("--settings", type=click.Path(path_type=Path, exists=True, dir_okay=False),
              help="The operator's settings file, for its catalogue; /etc/deployd/deployd.yaml where it can be read.")
@click.option("--catalogue", type=click.Path(path_type=Path, exists=True, dir_okay=False),
              help="The operator's catalogue; without it and without settings, the one that came with deployd.")
def check(
    directory: Path, as_json: bool, project_dialect: str | None, tolerant: bool, nearest: bool, settings: Path | None,
    catalogue: Path | None,
) -> None:
    """Check the configuration files of DIRECTORY, as a push would."""
    from deployd.cli.check_catalogue import known_catalogue
    from deployd.cli.check_host import host_findings
    from deployd.cli.disk_tree import DiskTree
    from deployd.project.findings.report import findings_as_json, render_findings
    from deployd.project.model import DIALECTS
    from deployd.project.reader import read_project
    from deployd.release.images_missing import versions_there
    from deployd.services.families import RUNNABLE

    known = known_catalogue(settings, catalogue)
    tree = DiskTree(directory)
    result = read_project(
        tree, dialect=next((item for item in DIALECTS.values() if item.name == project_dialect), None),
        tolerant=tolerant, runnable=RUNNABLE, there=versions_there(known.catalogue),
    )
    of_host = host_findings(result, tree, known.catalogue, nearest=nearest or known.nearest,
                           services="nearest" if nearest else known.services)
    findings = (*result.findings, *of_host.findings)
    wrong = any(finding.severity == "error" for finding in findings)
    if as_json:
        shown = {"valid": not wrong, "catalogue": known.whose, "findings": findings_as_json(findings)}
        show_json(shown)
    else:
        for line in render_findings(findings, colour=sys.stdout.isatty()):
            click.echo(line)
        if result.config is not None and not of_host.too_large:
            click.echo(summary(result.config, of_host.cannot_run, known.whose))
    if result.errors or of_host.too_large:
        sys.exit(CONFIGURATION)
    sys.exit(CANNOT_RUN if of_host.cannot_run else WELL)


def summary(config: ProjectConfig, cannot_run: tuple[str, ...], whose: str) -> str:
    """`1 application (shop), 2 services, 3 routes: a push would be accepted`"""
    names = ", ".join(application.name for application in config.applications)
    counts = [
        _many(len(config.applications), "application") + f" ({names})",
        _many(len(config.services), "service"),
        _many(len(config.routes), "route"),
    ]
    if cannot_run:
        what = ", ".join(dict.fromkeys(cannot_run))
        return f"{', '.join(counts)}: accepted, but deployd cannot run {what} with {whose}"
    return f"{', '.join(counts)}: a push would be accepted"


def _many(number: int, noun: str) -> str:
    return f"{number} {noun}{'' if number == 1 else 's'}"
