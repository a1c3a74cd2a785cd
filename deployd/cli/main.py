"""The command line. Each command's module is imported only when it is called: `deployd check` must start fast."""

from __future__ import annotations

import importlib

import click

COMMANDS = {
    "serve": "deployd.cli.serve:serve",
    "check": "deployd.cli.check:check",
    "plan": "deployd.cli.plan:plan",
    "projects": "deployd.cli.projects:projects",
    "environments": "deployd.cli.environments:environments",
    "activities": "deployd.cli.activities:activities",
    "log": "deployd.cli.log:log",
    "redeploy": "deployd.cli.redeploy:redeploy",
    "rollback": "deployd.cli.rollback:rollback",
    "cancel": "deployd.cli.cancel:cancel",
    "status": "deployd.cli.status:status",
    "doctor": "deployd.cli.doctor.command:doctor",
}


class LazyGroup(click.Group):
    """Knows the names of its commands, and loads one when it is wanted."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in COMMANDS:
            return None
        module, _, name = COMMANDS[cmd_name].partition(":")
        command: click.Command = getattr(importlib.import_module(module), name)
        return command


@click.command(cls=LazyGroup)
def main() -> None:
    """deployd: a git push becomes a running environment."""
