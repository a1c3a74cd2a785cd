"""`deployd plan`: what a push of a directory would do, and why."""

from __future__ import annotations

import asyncio
import base64
import sys
import tempfile
from pathlib import Path
from typing import Any

import click

from deployd.cli.disk_tree import DiskTree
from deployd.cli.talk import ask, end, socket_option
from deployd.client import Client
from deployd.errors import DeployError
from deployd.git.mirror import Mirror
from deployd.git.program import git
from deployd.git.working_tree import tree_of_directory
from deployd.ids import CommitId
from deployd.project.model import ProjectConfig
from deployd.project.reader import read_project
from deployd.project.report import render_findings

CONFIGURATION_ERRORS = 3


@click.command()
@socket_option
@click.option("-p", "--project", required=True, help="The project to push to.")
@click.option("-b", "--branch", help="The branch to push to; without it, the one that is checked out.")
@click.argument("directory", type=click.Path(path_type=Path, exists=True, file_okay=False), default=Path())
def plan(socket: Path, project: str, branch: str | None, directory: Path) -> None:
    """What a push of DIRECTORY, as it is on the disk now, would build, reuse, create, keep and remove, and why."""
    result = read_project(DiskTree(directory))
    if result.config is None:
        click.echo("\n".join(render_findings(result.findings)), err=True)
        sys.exit(CONFIGURATION_ERRORS)
    try:
        offered = asyncio.run(_offer(directory.resolve(), result.config, branch))
    except DeployError as error:
        end(error)

    async def question(client: Client) -> Any:
        return await client.post(f"/api/v1/projects/{project}/plan", offered)

    click.echo(f"a push to {offered['branch']} of {project} would do this:")
    for line in ask(socket, question)["lines"]:
        click.echo(f"  {line}")


async def _offer(directory: Path, config: ProjectConfig, branch: str | None) -> dict[str, Any]:
    """The working tree as the daemon needs it: contents of the configuration, digests of everything else."""
    repository = directory / ".git"
    if branch is None:
        branch = (await git(repository, "symbolic-ref", "--short", "HEAD")).text
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
