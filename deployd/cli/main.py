"""The command line. Each command's module is imported only when it is called: `deployd check` must start fast."""

from __future__ import annotations

import importlib

import click
from click.shell_completion import CompletionItem

from deployd import __version__

COMMANDS = {
    "serve": ("deployd.cli.serve:serve", "Run the daemon."),
    "ssh-server": ("deployd.cli.ssh_server:ssh_server", "Speak SSH for the daemon, as its unit starts it."),
    "check": ("deployd.cli.check:check", "Check the configuration files of DIRECTORY, as a push would."),
    "plan": ("deployd.cli.plan:plan", "What a push of DIRECTORY would build, reuse, create, keep and remove, and why."),
    "projects": ("deployd.cli.projects:projects", "Projects of the daemon, and where to push."),
    "environments": ("deployd.cli.environments:environments",
                     "Environments, what is live in them and where to look at it."),
    "environment": ("deployd.cli.environment:environment",
                    "Activate, deactivate, pause or wake an environment; give it a title or a parent."),
    "variable": ("deployd.cli.variable:variable",
                 "Variables of a project or an environment: list, get, set, create, update, delete."),
    "activities": ("deployd.cli.activities:activities", "Pushes, redeploys and rollbacks, newest first."),
    "log": ("deployd.cli.activities:log", "The log of an activity; without a number, of the newest one."),
    "access-log": ("deployd.cli.access_log:access_log", "Requests of an environment's visitors, oldest first."),
    "mail": ("deployd.cli.mail:mail", "Mails that an environment's applications sent and that lie here, newest first."),
    "logs": ("deployd.cli.logs:logs", "What the containers and crons of an environment print, oldest first."),
    "ssh": ("deployd.cli.ssh:ssh", "A shell in an environment's application, or a command there."),
    "sql": ("deployd.cli.ssh:sql", "The client of an environment's database, as its application comes in."),
    "tunnel": ("deployd.cli.tunnel:tunnel", "The services of an environment on ports of this machine."),
    "mount": ("deployd.cli.mount:mount", "Files of an environment's mounts, to this machine and back."),
    "stays": ("deployd.cli.stays:stays", "Who is in environments over SSH now, oldest first."),
    "top": ("deployd.cli.top:top", "What applications, workers and services use, those that use most first."),
    "certificates": ("deployd.cli.certificates:certificates",
                     "What each host shows over TLS, and what stands in the way of a better one."),
    "pass": ("deployd.cli.environments:operator_pass",
             "Links that show you a new version while visitors wait for it, or see the maintenance page."),
    "redeploy": ("deployd.cli.environments:redeploy", "Deploy what is live in an environment once more."),
    "push-again": ("deployd.cli.environments:push_again",
                   "Deploy the commit of a push that has ended once more, as if it were pushed now."),
    "rollback": ("deployd.cli.environments:rollback", "Take an environment back to an earlier version."),
    "versions": ("deployd.cli.versions:versions",
                 "What was live in an environment, newest first: `deployd rollback --to` goes back to one of them."),
    "delete": ("deployd.cli.versions:delete",
               "End an environment, as a deleted branch does; the branch stays in the repository."),
    "crons": ("deployd.cli.crons:crons",
              "Crons of what is live in an environment, when they run next and how they ended last."),
    "run-cron": ("deployd.cli.crons:run_cron", "Run a cron now, or as soon as it may."),
    "operation": ("deployd.cli.operation:operation",
                  "Operations of an environment's applications: list them, and run one."),
    "source-operation": ("deployd.cli.source_operation:source_operation",
                         "Source operations of a branch: list them, and run one."),
    "compare": ("deployd.cli.compare:compare", "How two versions differ: commits, configuration, services, files."),
    "lock": ("deployd.cli.environments:lock",
             "Keep what is live: pushes are taken and built, and wait until `deployd unlock`."),
    "unlock": ("deployd.cli.environments:unlock",
               "Let pushes go live again; the one that was built and waits goes on at once."),
    "promote": ("deployd.cli.tickets:promote",
                "Ask that what SOURCE has becomes live in a protected ENVIRONMENT."),
    "ticket": ("deployd.cli.tickets:ticket", "Tickets: what waits to become live in protected environments."),
    "can-i": ("deployd.cli.tickets:can_i", "Whether something could be done now, and what stands in the way."),
    "cancel": ("deployd.cli.activities:cancel", "End an activity before its switch."),
    "undo": ("deployd.cli.activities:undo",
             "Try an undo that is stuck at once, or skip it: then what it would have undone is yours to put right."),
    "collect": ("deployd.cli.collect:collect",
                "Take away what nobody needs any more, as the daemon does from time to time."),
    "wait": ("deployd.cli.wait:wait",
             "Wait for the end of a push, and end as it ended: 0 when it is live, 1 when it failed."),
    "open": ("deployd.cli.page:open_page", "Print where an environment answers, and open it when there is a browser."),
    "login": ("deployd.cli.login:login",
              "Sign in to the daemon at URL with a token: commands ask it from then on."),
    "logout": ("deployd.cli.login:logout",
               "Forget a host and its token; without NAME, the one that commands ask now."),
    "context": ("deployd.cli.login:context",
                "Which daemon commands ask; with NAME, ask that one from now on."),
    "whoami": ("deployd.cli.people:whoami", "Who one is for the daemon, and what one may."),
    "people": ("deployd.cli.people:people", "Who there is, and what they may do."),
    "token": ("deployd.cli.people:token", "Tokens of persons: what programs, the console and git over HTTP take."),
    "key": ("deployd.cli.people:key", "SSH keys of persons."),
    "ssh-keys": ("deployd.cli.ssh_keys:ssh_keys",
                 "The keys by which the SSH server is recognised, with their fingerprints."),
    "audit": ("deployd.cli.audit:audit", "Who changed what, newest first."),
    "status": ("deployd.cli.status:status", "How the daemon is; ends with 1 when it is degraded."),
    "doctor": ("deployd.cli.doctor.command:doctor", "Whether this host has what deployments need."),
}
"""{name: (module and command, what the list of commands says of it)}"""


class LazyGroup(click.Group):
    """Knows the names of its commands, and loads one when it is called."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in COMMANDS:
            return None
        module, _, name = COMMANDS[cmd_name][0].partition(":")
        command: click.Command = getattr(importlib.import_module(module), name)
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        with formatter.section("Commands"):
            formatter.write_dl([(name, says) for name, (_, says) in COMMANDS.items()])

    def shell_complete(self, ctx: click.Context, incomplete: str) -> list[CompletionItem]:
        """Names, without loading what they stand for: a shell asks at every press of Tab."""
        found = [CompletionItem(name, help=says) for name, (_, says) in COMMANDS.items() if name.startswith(incomplete)]
        return found + click.Command.shell_complete(self, ctx, incomplete)


@click.command(cls=LazyGroup)
@click.version_option(__version__, message="deployd %(version)s")
def main() -> None:
    """deployd: a git push becomes a running environment."""
