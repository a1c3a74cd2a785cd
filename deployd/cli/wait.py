"""`deployd wait`: the outcome of a push, for scripts: `git push && deployd wait`."""

from __future__ import annotations

import asyncio
import sys
from pathlib import Path
from typing import Any, ClassVar

import click

from deployd.cli.activity_log import BADLY, Screen, follow_log
from deployd.cli.client import Client, DaemonAddress, open_client
from deployd.cli.command import daemon_options, json_option, project_option, run_asking
from deployd.cli.exit_status import FAILED, INTERRUPTED, NO_SUCH_THING, UNDECIDED, USAGE
from deployd.cli.output import show_json
from deployd.errors import DeployError
from deployd.git.program import git
from deployd.process import ProgramFailed

LOOK_SECONDS = 1.0
LOOKED_AT = 200
"""Activities of the branch in which the commit is looked for."""


class NothingCheckedOut(DeployError):
    """Which commit and branch was pushed cannot be told."""

    code: ClassVar[str] = "nothing-checked-out"


class _Held(Exception):
    """It waits for somebody to unlock its environment."""


class _UntilHeld(Screen):
    def show(self, raw: dict[str, Any]) -> None:
        super().show(raw)
        if raw["kind"] == "held":
            raise _Held


@click.command()
@daemon_options
@project_option
@click.option("-b", "--branch", help="The branch that was pushed; without it, the one that is checked out.")
@click.option("--commit", help="The whole id of its commit; without it, the one that is checked out.")
@click.option("--appear", type=click.FloatRange(0, 86_400), default=60, show_default=True,
              help="Seconds until deployd must know of the push: a forge tells it by a webhook.")
@click.option("--timeout", type=click.FloatRange(0, 864_000), help="Seconds after which to wait no longer; it goes on.")
@click.option("-q", "--quiet", is_flag=True, help="Do not show the log.")
@json_option
def wait(
    daemon: DaemonAddress, project: str | None, branch: str | None, commit: str | None, appear: float,
    timeout: float | None, quiet: bool, as_json: bool,
) -> None:
    """Wait for the end of a push, and end as it ended: 0 when it is live, 1 when it failed.

    It is looked for by the commit and the branch that are checked out here.
    """
    screen = _UntilHeld(quiet=quiet or as_json)
    try:
        found = run_asking(_wait(daemon, project, (branch, commit), screen, appear, timeout))
    except KeyboardInterrupt:
        click.echo("\ndeployd: nobody waits any more; what was pushed goes on", err=True)
        sys.exit(INTERRUPTED)
    if as_json:
        show_json(found)
    elif quiet:
        click.echo(f"activity {found['id']}: {found['state'].replace('_', ' ')}")
    if found["state"] in BADLY:
        sys.exit(FAILED)
    if found["state"] != "success":
        if not as_json:
            click.echo(f"deployd: activity {found['id']} is not over; `deployd log -f {found['id']}` shows the rest",
                       err=True)
        sys.exit(UNDECIDED)


async def _wait(
    daemon: DaemonAddress, project: str | None, pushed: tuple[str | None, str | None], screen: Screen, appear: float,
    timeout: float | None,
) -> Any:
    """The activity as it is when the waiting is over."""
    branch, commit = await _checked_out(*pushed)
    async with open_client(daemon) as client:
        number = await _find(client, project, branch, commit, appear)
    try:
        async with asyncio.timeout(timeout):
            await follow_log(daemon, number, screen)
    except (TimeoutError, _Held):
        pass
    async with open_client(daemon) as client:
        return await client.get(f"/api/v1/activities/{number}")


async def _find(client: Client, project: str | None, branch: str, commit: str, appear: float) -> int:
    """The newest activity of a push. Ends the program when there is none, or it is not clear which."""
    loop = asyncio.get_running_loop()
    until = loop.time() + appear
    while True:
        items = (await client.get("/api/v1/activities", project=project, environment=branch, limit=LOOKED_AT))["items"]
        mine = [item for item in items if (item["branch"], item["commit"]) == (branch, commit)]
        if len({item["project"] for item in mine}) > 1:
            names = ", ".join(sorted({item["project"] for item in mine}))
            click.echo(f"deployd: {commit[:8]} of {branch} was pushed to several projects: {names}\n"
                       "  hint: name one with --project", err=True)
            sys.exit(USAGE)
        newest: dict[str, int] = {}
        for item in items:
            if item["branch"] == branch:
                newest.setdefault(item["project"], item["id"])
        # An older one may be of the commit's push of last week: the one that was pushed now is not known yet.
        is_over = loop.time() >= until
        if mine and (is_over or mine[0]["id"] in newest.values()):
            return int(mine[0]["id"])
        if is_over:
            click.echo(f"deployd: nothing is known of {commit[:8]} of {branch} after {appear:g} s\n"
                       "  hint: push it; for a forge look whether its webhook is answered", err=True)
            sys.exit(NO_SUCH_THING)
        await asyncio.sleep(LOOK_SECONDS)


async def _checked_out(branch: str | None, commit: str | None) -> tuple[str, str]:
    """(branch, commit)

    Raises:
        NothingCheckedOut: One of them is not given, and git does not tell it.
    """
    here = Path.cwd()
    top = next((folder for folder in (here, *here.parents) if (folder / ".git").exists()), here)
    try:
        return (
            branch or (await git(top / ".git", "symbolic-ref", "--short", "HEAD")).text,
            commit or (await git(top / ".git", "rev-parse", "HEAD")).text,
        )
    except ProgramFailed as error:
        raise NothingCheckedOut(
            f"cannot tell what is checked out in {top}", evidence=error.evidence,
            hint="run it in the repository that was pushed, or name --branch and --commit",
        ) from None
