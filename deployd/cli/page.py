"""`deployd open`: an environment in a browser."""

from __future__ import annotations

import sys
from typing import Any
from urllib.parse import quote

import click

from deployd.cli.client import Client, DaemonAddress, Remote
from deployd.cli.command import ask, daemon_options
from deployd.cli.exit_status import NO_SUCH_THING
from deployd.cli.output import harmless

Items = list[dict[str, Any]]


@click.command("open")
@daemon_options
@click.option("--console", is_flag=True, help="Its page in the console, and not the application itself.")
@click.option("--print", "only_prints", is_flag=True, help="Only print the address, also on a terminal.")
@click.argument("project")
@click.argument("environment")
def open_page(daemon: DaemonAddress, project: str, environment: str, console: bool, only_prints: bool) -> None:
    """Print where an environment answers, and open it when there is a browser. ENVIRONMENT is its branch or name."""
    items, projects = ask(daemon, lambda client: _asked(client, project))
    found = next((item for item in items if environment in (item["branch"], item["name"])), None)
    if found is None:
        click.echo(f"deployd: there is no environment {harmless(environment)} of a project {harmless(project)}\n"
                   "  hint: `deployd environments` shows what there is", err=True)
        sys.exit(NO_SUCH_THING)
    url = _in_console(daemon, found, projects) if console else str(found["url"])
    click.echo(harmless(url))
    if not only_prints and sys.stdout.isatty() and url.startswith(("http://", "https://")):
        click.launch(url)


async def _asked(client: Client, project: str) -> tuple[Items, Items]:
    """(environments of the project, all projects)"""
    environments = await client.get("/api/v1/environments", project=project)
    return environments["items"], (await client.get("/api/v1/projects"))["items"]


def _in_console(daemon: DaemonAddress, environment: dict[str, Any], projects: Items) -> str:
    """The console is where git pushes to; behind a tunnel it is where we ask."""
    pushed = next((str(item["git"]) for item in projects if item["id"] == environment["project"]), "")
    base = daemon.url if isinstance(daemon, Remote) else pushed.rpartition("/git/")[0]
    return f"{base}/projects/{quote(environment['project'])}/environments/{quote(environment['name'])}"
