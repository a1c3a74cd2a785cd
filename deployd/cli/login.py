"""Commands of hosts: `login`, `logout` and `context`."""

from __future__ import annotations

import os
import sys
from typing import Any
from urllib.parse import urlsplit

import click

from deployd.cli.client import Client, Remote, refuse_readable
from deployd.cli.command import ask, end, json_option
from deployd.cli.hosts import LOCAL, NAME, HostUnknown, hosts_file, normal_url, read_hosts, write_hosts
from deployd.cli.output import show
from deployd.errors import DeployError

LONGEST_TOKEN = 4096


@click.command()
@click.option("--name", help="What to call it in `--context`; without it, its host.")
@click.argument("url")
def login(url: str, name: str | None) -> None:
    """Sign in to the daemon at URL with a token: commands ask it from then on.

    The token is asked for, or read from standard input when that is no terminal. It is kept in
    ~/.config/deployd/hosts.yaml, which nobody else may read.
    """
    file = hosts_file(os.environ)
    try:
        address = normal_url(url)
        refuse_readable(address)
        called = name or urlsplit(address).netloc
        if called == LOCAL or not NAME.fullmatch(called):
            raise HostUnknown(f"a host cannot be called {called!r}", hint="name it with --name")
        hosts = read_hosts(file)
        remote = Remote(address, _token(address))
        seen = ask(remote, _projects)
        write_hosts(file, hosts.with_host(called, remote))
    except DeployError as error:
        end(error)
    click.echo(f"signed in to {called}; its projects: {', '.join(seen) or 'none yet'}")
    click.echo(f"commands ask it from now on; `deployd context {LOCAL}` goes back to this machine's daemon")


@click.command()
@click.argument("name", required=False)
def logout(name: str | None) -> None:
    """Forget a host and its token; without NAME, the one that commands ask now.

    The token goes on to work: whoever runs the daemon takes it out of its settings.
    """
    file = hosts_file(os.environ)
    try:
        hosts = read_hosts(file)
        called = name or hosts.current
        write_hosts(file, hosts.without(called))
    except DeployError as error:
        end(error)
    click.echo(f"{called} is forgotten")


@click.command()
@json_option
@click.argument("name", required=False)
def context(name: str | None, as_json: bool) -> None:
    """Which daemon commands ask; with NAME, ask that one from now on. `local` is this machine's."""
    file = hosts_file(os.environ)
    try:
        hosts = read_hosts(file)
        if name is not None:
            hosts = hosts.with_current(name)
            write_hosts(file, hosts)
    except DeployError as error:
        end(error)
    known: dict[str, str] = {LOCAL: "", **{called: remote.url for called, remote in hosts.known.items()}}
    items: list[dict[str, Any]] = [
        {"name": called, "url": url, "current": called == hosts.current} for called, url in known.items()
    ]
    if not as_json:
        items = [{**item, "current": "*" if item["current"] else " "} for item in items]
    show(items, ("current", "name", "url"), as_json=as_json)
    for variable in ("DEPLOYD_URL", "DEPLOYD_SOCKET"):
        if os.environ.get(variable):
            click.echo(f"! {variable} is set, and counts before this", err=True)


async def _projects(client: Client) -> list[str]:
    return [str(item["id"]) for item in (await client.get("/api/v1/projects"))["items"]]


def _token(url: str) -> str:
    """
    Raises:
        HostUnknown: None was given.
    """
    if sys.stdin.isatty():
        token = click.prompt(f"Token for {url}", hide_input=True, err=True)
    else:
        token = sys.stdin.readline(LONGEST_TOKEN)
    token = str(token).strip()
    if not token or not token.isascii() or not token.isprintable():
        raise HostUnknown("no token was given", hint="type it, or send it to standard input")
    return token
