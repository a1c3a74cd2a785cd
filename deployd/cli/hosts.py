"""The hosts that somebody signed in to from this machine, and which daemon a command asks.

    --socket, --context  ►  DEPLOYD_URL  ►  DEPLOYD_SOCKET  ►  the host of `deployd context`  ►  this machine's socket

They are in `hosts.yaml` with their tokens, which nobody else may read.
"""

from __future__ import annotations

import os
import re
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, ClassVar
from urllib.parse import urlsplit

from deployd.cli.client import DaemonAddress, Remote
from deployd.errors import DeployError

DEFAULT_SOCKET = Path("/run/deployd/api.sock")
LOCAL = "local"
"""Stands for the daemon of this machine, among the names of hosts."""
FOR_ALL = 0o077
NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._:\[\]-]{0,252}")


class HostUnknown(DeployError):
    """There is no host of this name."""

    code: ClassVar[str] = "host-unknown"


class HostsUnusable(DeployError):
    """The file of hosts cannot be used."""

    code: ClassVar[str] = "hosts-unusable"


@dataclass(frozen=True, slots=True)
class Hosts:
    known: Mapping[str, Remote] = field(default_factory=dict)
    current: str = LOCAL

    def find(self, name: str) -> Remote | None:
        """None: the daemon of this machine.

        Raises:
            HostUnknown: There is none.
        """
        if name == LOCAL:
            return None
        if name not in self.known:
            names = ", ".join((LOCAL, *self.known))
            raise HostUnknown(f"there is no host {name}", hint=f"name one of {names}, or `deployd login` to it")
        return self.known[name]

    def with_host(self, name: str, remote: Remote) -> Hosts:
        return Hosts({**self.known, name: remote}, name)

    def without(self, name: str) -> Hosts:
        """
        Raises:
            HostUnknown: There is none.
        """
        if self.find(name) is None:
            raise HostUnknown(f"{LOCAL} is this machine: nobody is signed in to it")
        left = {other: remote for other, remote in self.known.items() if other != name}
        return Hosts(left, LOCAL if self.current == name else self.current)

    def with_current(self, name: str) -> Hosts:
        self.find(name)
        return replace(self, current=name)


def address_of_daemon(socket: Path | None, context: str | None, environment: Mapping[str, str]) -> DaemonAddress:
    """Which daemon a command asks.

    Args:
        socket: Of the command line.
        context: Of the command line.

    Raises:
        HostUnknown, HostsUnusable: See `Hosts.find` and `read_hosts`.
    """
    if socket is not None:
        return socket
    by_variable = Path(environment.get("DEPLOYD_SOCKET") or DEFAULT_SOCKET)
    if context is not None:
        return read_hosts(hosts_file(environment)).find(context) or by_variable
    if url := environment.get("DEPLOYD_URL"):
        url = normal_url(url)
        return Remote(url, environment.get("DEPLOYD_TOKEN") or _token_for(url, environment))
    if environment.get("DEPLOYD_SOCKET"):
        return by_variable
    hosts = read_hosts(hosts_file(environment))
    found = hosts.find(hosts.current) if hosts.current in (LOCAL, *hosts.known) else None
    return found or by_variable


def hosts_file(environment: Mapping[str, str]) -> Path:
    home = Path(environment.get("HOME") or os.path.expanduser("~"))
    return Path(environment.get("XDG_CONFIG_HOME") or home / ".config") / "deployd" / "hosts.yaml"


def normal_url(text: str) -> str:
    """An address as it is kept: `deploy.example.com` → `https://deploy.example.com`.

    Raises:
        HostUnknown: It is none.
    """
    url = text.strip()
    url = url if "://" in url else f"https://{url}"
    try:
        parts = urlsplit(url)
        is_plain = parts.scheme in ("http", "https") and bool(parts.hostname) and (parts.port is None or parts.port > 0)
    except ValueError:
        is_plain = False
    has_more = is_plain and (parts.path not in ("", "/") or parts.query or parts.fragment or "@" in parts.netloc)
    if not is_plain or has_more or not parts.netloc.isascii():
        raise HostUnknown(f"{text[:200]!r} is no address of a daemon", hint="for example https://deploy.example.com")
    return f"{parts.scheme}://{parts.netloc.lower()}"


def read_hosts(file: Path) -> Hosts:
    """None at all when there is no file.

    Raises:
        HostsUnusable: Others may read it, or it is not as we write it.
    """
    try:
        with file.open() as opened:
            if os.fstat(opened.fileno()).st_mode & FOR_ALL:
                raise HostsUnusable(f"others may read the tokens in {file}", hint=f"chmod 600 {file}")
            text = opened.read()
    except FileNotFoundError:
        return Hosts()
    except (OSError, UnicodeDecodeError) as error:
        raise HostsUnusable(f"cannot read {file}: {error}") from None
    import yaml  # slow to load, and few need it

    try:
        found = yaml.safe_load(text) or {}
        return _hosts(found)
    except (yaml.YAMLError, KeyError, TypeError, AttributeError, ValueError):
        raise HostsUnusable(f"{file} is not as deployd writes it", hint="remove it, and `deployd login` anew") from None


def write_hosts(file: Path, hosts: Hosts) -> None:
    """
    Raises:
        HostsUnusable: It cannot be written; what was there is as before.
    """
    import yaml

    text = yaml.safe_dump({
        "current": hosts.current,
        "hosts": {name: {"url": remote.url, "token": remote.token} for name, remote in hosts.known.items()},
    }, sort_keys=False, allow_unicode=True)
    try:
        file.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        number, temporary = tempfile.mkstemp(dir=file.parent, prefix=".hosts-")   # for its owner alone
        try:
            with os.fdopen(number, "w") as opened:
                opened.write(text)
            os.replace(temporary, file)
        except BaseException:
            os.unlink(temporary)
            raise
    except OSError as error:
        raise HostsUnusable(f"cannot write {file}: {error}") from None


def _hosts(found: Mapping[str, Any]) -> Hosts:
    known = {}
    for name, value in (found.get("hosts") or {}).items():
        url, token = value["url"], value["token"]
        if not (isinstance(name, str) and NAME.fullmatch(name) and isinstance(url, str) and isinstance(token, str)):
            raise ValueError(name)
        known[name] = Remote(url, token)
    current = found.get("current", LOCAL)
    return Hosts(known, current if isinstance(current, str) else LOCAL)


def _token_for(url: str, environment: Mapping[str, str]) -> str:
    known = read_hosts(hosts_file(environment)).known.values()
    return next((remote.token for remote in known if remote.url == url), "")
