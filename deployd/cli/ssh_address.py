"""Where an environment is over SSH, as the daemon says it, and the command line of `ssh` for it.

The programs of this machine do the rest, with the keys, agents and settings of their user; ours is replaced by them.
"""

from __future__ import annotations

import hashlib
import os
import re
import shlex
import shutil
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, NoReturn
from urllib.parse import unquote, urlsplit

import click

from deployd.cli.client import Client, DaemonAddress, environment_path
from deployd.cli.command import ask
from deployd.cli.exit_status import CANNOT_RUN, NO_SUCH_THING, REFUSED, USAGE
from deployd.cli.hosts import hosts_file
from deployd.cli.output import harmless

PART = click.option("--part", default="", help="A worker, or another application than the first: `queue`.")
"""Option of every command here."""
USER = re.compile(r"[a-z0-9][a-z0-9.-]{0,200}")
HOST = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,252}|[0-9A-Fa-f:]*:[0-9A-Fa-f:.]*")
KNOWN_HOSTS = re.compile(r"[A-Za-z0-9._:\[\]-]+ [a-z0-9@.-]+ [A-Za-z0-9+/]+=*")
"""One line for one host: no pattern, no list, no marker (`@cert-authority`), no second line."""


@dataclass(frozen=True, slots=True)
class SshAddress:
    user: str
    """`main.shop`, `main.shop--queue`"""
    host: str
    port: int
    known_hosts: str = ""
    """A file of ours with the server's key, as the daemon says it; empty: ssh asks its user about the key."""

    @property
    def options(self) -> tuple[str, ...]:
        """Of ssh and scp."""
        if not self.known_hosts:
            return ()
        return ("-o", f'UserKnownHostsFile="{self.known_hosts}"', "-o", "StrictHostKeyChecking=yes")

    @property
    def argv(self) -> tuple[str, ...]:
        """`ssh` up to its host, to which options may be added."""
        return ("ssh", *self.options, "-p", str(self.port), "-l", self.user)

    @property
    def place(self) -> str:
        """Of rsync and scp: what stands before the colon of a path."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"{self.user}@{host}"


def ssh_address(daemon: DaemonAddress, project: str, environment: str, part: str) -> SshAddress:
    """Ends the program when there is no such environment, or nobody listens for SSH."""
    async def find(client: Client) -> tuple[list[dict[str, Any]], dict[str, Any]]:
        return (await client.get("/api/v1/environments", project=project))["items"], await client.get("/api/v1/ssh")

    items, server = ask(daemon, find)
    found = next((item for item in items if environment in (item["branch"], item["name"])), None)
    if found is None:
        fail(f"there is no environment {environment} of a project {project}",
             "`deployd environments` shows what there is", NO_SUCH_THING)
    if not found.get("ssh"):
        fail("this deployd does not listen for SSH", "the operator says where it does: `ssh: {listen: …}`", REFUSED)
    lines = known_hosts_of(server)
    return replace(read_address(str(found["ssh"]), part), known_hosts=keep_known_hosts(lines, os.environ))


def known_hosts_of(server: Mapping[str, Any]) -> list[str]:
    """The lines for `known_hosts`, as the daemon says them; what speaks for more than one host is none."""
    return [line for key in server["keys"] if KNOWN_HOSTS.fullmatch(line := str(key["known_hosts"]))]


def keep_known_hosts(lines: Sequence[str], environment: Mapping[str, str]) -> str:
    """The file in which ssh finds the server's key: what the daemon says over its own, proven connection is enough.

    Empty: it cannot be written, or ssh could not be told of it.
    """
    folder = hosts_file(environment).parent
    file = folder / "known_hosts" / hashlib.sha256("\n".join(lines).encode()).hexdigest()[:16]
    if not lines or '"' in str(file):
        return ""
    try:
        file.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        file.write_text("".join(f"{line}\n" for line in lines))
    except OSError:
        return ""
    return str(file)


def read_address(url: str, part: str = "") -> SshAddress:
    """`ssh://main.shop@deploy.example.com:2222`, as the daemon says it.

    It goes into command lines, and from there (`%r`, `%h`) into those of our user's own `ssh_config`, which a shell
    reads: it has the letters of names and no others.
    """
    try:
        parts = urlsplit(url)
        user, host, port = unquote(parts.username or ""), parts.hostname or "", parts.port or 22
    except ValueError:
        user, host, port = "", "", 0
    if USER.fullmatch(user) is None or HOST.fullmatch(host) is None:
        fail(f"{url} is no address for SSH", "ask the operator", CANNOT_RUN)
    return SshAddress(f"{user}--{part}" if part else user, host, port)


def parts_of(daemon: DaemonAddress, project: str, environment: str, part: str) -> dict[str, Any]:
    """The application or worker that somebody means, with its mounts and relationships."""
    async def find(client: Client) -> Any:
        return await client.get(environment_path(project, environment, "parts"))

    instances = [
        instance for app in ask(daemon, find)["applications"] for instance in (app["web"], *app["workers"])
    ]
    wanted = [item for item in instances if part in ("", item["name"], item["name"].partition("--")[2])]
    if not wanted:
        names = ", ".join(item["name"] for item in instances) or "nothing: no version is live"
        fail(f"there is no application and no worker {part}", f"there is {names}", NO_SUCH_THING)
    found: dict[str, Any] = wanted[0]
    return found


def become(argv: tuple[str, ...]) -> NoReturn:
    """Go on as another program."""
    sys.stdout.flush()
    sys.stderr.flush()
    try:
        os.execvp(argv[0], argv)
    except OSError as error:
        fail(f"cannot start {argv[0]}: {error.strerror}", f"install {argv[0]}", CANNOT_RUN)


def is_there(program: str) -> bool:
    return shutil.which(program) is not None


def one_line(words: tuple[str, ...]) -> str:
    """Words as one command line for the shell at the other end: a single one is a line already."""
    return words[0] if len(words) == 1 else shlex.join(words)


def fail(what: str, hint: str, status: int = USAGE) -> NoReturn:
    click.echo(f"deployd: {harmless(what)}\n  hint: {harmless(hint)}", err=True)
    sys.exit(status)
