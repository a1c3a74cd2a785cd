"""`deployd plan`: what a push of a directory would do, and why."""

from __future__ import annotations

import asyncio
import base64
import sys
import tempfile
from pathlib import Path
from typing import Any, ClassVar

import click

from deployd.cli.client import Client, DaemonAddress, project_path
from deployd.cli.command import ask, daemon_options, end, json_option
from deployd.cli.disk_tree import DiskTree
from deployd.cli.exit_status import CONFIGURATION, REFUSED
from deployd.cli.output import harmless, show_json
from deployd.errors import DeployError
from deployd.git.mirror import Mirror
from deployd.git.program import git
from deployd.git.working_tree import tree_of_directory
from deployd.ids import CommitId
from deployd.process import ProgramFailed
from deployd.project.findings.report import render_findings
from deployd.project.model import ProjectConfig
from deployd.project.reader import read_project
from deployd.services.families import RUNNABLE

REFUSAL = "refused:"


class NoBranch(DeployError):
    """What is checked out is no branch, or not by git."""

    code: ClassVar[str] = "no-branch"


@click.command()
@daemon_options
@click.option("-p", "--project", required=True, help="The project to push to.")
@click.option("-b", "--branch", help="The branch to push to; without it, the one that is checked out.")
@json_option
@click.argument("directory", type=click.Path(path_type=Path, exists=True, file_okay=False), default=Path())
def plan(daemon: DaemonAddress, project: str, branch: str | None, as_json: bool, directory: Path) -> None:
    """What a push of DIRECTORY would build, reuse, create, keep and remove, and why.

    DIRECTORY is the top of a git repository, and is taken as it is on the disk now, committed or not.
    """
    result = read_project(DiskTree(directory), runnable=RUNNABLE)
    if result.config is None:
        click.echo("\n".join(render_findings(result.findings)), err=True)
        sys.exit(CONFIGURATION)
    try:
        offered = asyncio.run(_offer(directory.resolve(), result.config, branch))
    except DeployError as error:
        end(error)

    async def question(client: Client) -> Any:
        return await client.post(project_path(project, "plan"), offered)

    found = ask(daemon, question)
    if as_json:
        show_json(found)
    else:
        click.echo(f"a push to {found['branch']} of {project} would do this:")
        for line in found["lines"]:
            click.echo(f"  {harmless(line)}")
    if any(line.startswith(REFUSAL) for line in found["lines"]):
        sys.exit(REFUSED)


async def _offer(directory: Path, config: ProjectConfig, branch: str | None) -> dict[str, Any]:
    """The working tree as the daemon needs it: contents of the configuration, digests of everything else."""
    repository = directory / ".git"
    branch = branch or await _checked_out(directory, repository)
    with tempfile.TemporaryDirectory(prefix="deployd-plan-") as folder:
        tree = await tree_of_directory(repository, directory, Path(folder) / "index")
    mirror = Mirror(repository)
    without = config.configuration_paths()
    return {
        "branch": branch,
        "files": {path: base64.b64encode((directory / path).read_bytes()).decode() for path in config.files},
        "paths": list(DiskTree(directory).paths()),
        "listings": {
            app.root: await mirror.listing_digest(CommitId(tree), app.root, without) for app in config.applications
        },
    }


async def _checked_out(directory: Path, repository: Path) -> str:
    """
    Raises:
        NoBranch: A commit is checked out and no branch, or the directory is not the top of a repository.
    """
    try:
        return (await git(repository, "symbolic-ref", "--short", "HEAD")).text
    except ProgramFailed as error:
        raise NoBranch(
            f"cannot tell the branch of {directory}", evidence=error.evidence,
            hint="run it at the top of a git repository; name the branch with --branch when none is checked out",
        ) from None
