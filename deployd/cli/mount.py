"""`deployd mount`: files of an environment's mounts, to this machine and back."""

from __future__ import annotations

import posixpath
from pathlib import Path

import click

from deployd.cli.client import DaemonAddress
from deployd.cli.command import daemon_options, json_option
from deployd.cli.exit_status import NO_SUCH_THING
from deployd.cli.output import show
from deployd.cli.ssh_address import PART, SshAddress, become, fail, is_there, parts_of, ssh_address

ROOT = "/app"
RSYNC = ("rsync", "--recursive", "--links", "--times", "--compress", "--partial", "--human-readable", "-s")
"""Without owners and modes: the other end has one user, and a umask of its own. -s: no shell there reads the paths."""
INWARD = ("--safe-links",)
"""What an application wrote is hostile: a link that leads out of the folder would have this machine's files opened, or
written, by whoever works in there."""


@click.group()
def mount() -> None:
    """Files of an environment's mounts, to this machine and back."""


@mount.command("list")
@daemon_options
@PART
@click.argument("project")
@click.argument("environment")
@json_option
def list_mounts(daemon: DaemonAddress, part: str, project: str, environment: str, as_json: bool) -> None:
    """What mounts there are."""
    found = parts_of(daemon, project, environment, part)["mounts"]
    show(found, ("path", "source", "service"), as_json=as_json)


@mount.command()
@daemon_options
@PART
@click.option("--delete", is_flag=True, help="Remove files in FOLDER that are not in the mount.")
@click.argument("project")
@click.argument("environment")
@click.argument("path")
@click.argument("folder", type=click.Path(file_okay=False, path_type=Path))
def download(
    daemon: DaemonAddress, part: str, delete: bool, project: str, environment: str, path: str, folder: Path,
) -> None:
    """Bring what is in a mount, or below PATH in it, into a FOLDER here."""
    address = ssh_address(daemon, project, environment, part)
    there = f"{address.place}:{_in_mount(daemon, project, environment, part, path)}/"
    folder.mkdir(parents=True, exist_ok=True)
    _transfer(address, delete, there, f"{_here(folder)}/", INWARD)


@mount.command()
@daemon_options
@PART
@click.option("--delete", is_flag=True, help="Remove files in the mount that are not in FOLDER.")
@click.argument("project")
@click.argument("environment")
@click.argument("folder", type=click.Path(file_okay=False, exists=True, path_type=Path))
@click.argument("path")
def upload(
    daemon: DaemonAddress, part: str, delete: bool, project: str, environment: str, folder: Path, path: str,
) -> None:
    """Bring what is in a FOLDER here into a mount, or below PATH in it."""
    address = ssh_address(daemon, project, environment, part)
    there = f"{address.place}:{_in_mount(daemon, project, environment, part, path)}/"
    _transfer(address, delete, f"{_here(folder)}/", there)


def _transfer(address: SshAddress, delete: bool, source: str, target: str, options: tuple[str, ...] = ()) -> None:
    if is_there("rsync"):
        options += ("--delete",) if delete else ()
        become((*RSYNC, *options, "-e", _remote_shell(address), "--", source, target))
    if delete:
        fail("--delete needs rsync, which is not installed here", "install rsync")
    become(("scp", *address.options, "-r", "-p", "-P", str(address.port), "--", f"{source}.", target))


def _remote_shell(address: SshAddress) -> str:
    """What rsync cuts at its blanks; it keeps together what stands in single quotes."""
    words = ("ssh", *address.options, "-p", str(address.port))
    return " ".join(f"'{word}'" if " " in word or '"' in word else word for word in words)


def _in_mount(daemon: DaemonAddress, project: str, environment: str, part: str, path: str) -> str:
    """The whole path of something in a mount."""
    mounts = [item["path"] for item in parts_of(daemon, project, environment, part)["mounts"]]
    wanted = posixpath.normpath(path.removeprefix(f"{ROOT}/")).strip("/")
    if not any(wanted == item or wanted.startswith(f"{item}/") for item in mounts):
        fail(f"{path} is in no mount, and nothing else can be written", f"mounts are: {', '.join(mounts) or 'none'}",
             NO_SUCH_THING)
    return f"{ROOT}/{wanted}"


def _here(folder: Path) -> str:
    """A path of this machine that neither rsync nor scp takes for another one's."""
    return str(folder.absolute())
