"""`deployd ssh-keys`: by which key people recognise the server."""

from __future__ import annotations

import click

from deployd.cli.client import DaemonAddress
from deployd.cli.command import ask, daemon_options, json_option
from deployd.cli.output import show
from deployd.cli.ssh_address import known_hosts_of


@click.command()
@daemon_options
@click.option("--known-hosts", is_flag=True, help="Print the lines for the file known_hosts, and nothing else.")
@json_option
def ssh_keys(daemon: DaemonAddress, known_hosts: bool, as_json: bool) -> None:
    """The keys by which the SSH server is recognised, with their fingerprints."""
    found = ask(daemon, lambda client: client.get("/api/v1/ssh"))
    if known_hosts:
        for line in known_hosts_of(found):
            click.echo(line)
        return
    show(found["keys"], ("type", "fingerprint", "known_hosts"), as_json=as_json)
