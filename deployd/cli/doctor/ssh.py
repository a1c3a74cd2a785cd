"""SSH: whether anybody listens, and by which key people recognise it."""

from __future__ import annotations

import os
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path

from deployd.cli.doctor.finding import Finding, doubt, well, wrong
from deployd.cli.doctor.ports import look
from deployd.errors import DeployError
from deployd.inside.programs import PACKAGES, SOURCES
from deployd.settings import Settings
from deployd.ssh.host_key import NAME, ensure_host_key
from deployd.ssh.places import HOST_KEYS, LOCK, link_folder


def look_at_ssh(settings: Settings) -> list[Finding]:
    where = settings.ssh.listen_address
    if where is None:
        return [well("ssh", "nobody listens (ssh.listen is not set): git goes over HTTP alone")]
    server = _process(settings)
    found = [look(*where, "ssh.listen", lambda item: item.pid == server, "our deployd-ssh")]
    return [*found, _host_key(settings), _runs(settings, server), look_at_file_programs(SOURCES)]


def look_at_file_programs(sources: Mapping[str, Path]) -> Finding:
    """Without them no files go into containers; all else over SSH works."""
    missing = [name for name, path in sources.items() if not path.exists()]
    if not missing:
        return well("ssh files", f"{' and '.join(sources)} are there for containers")
    packages = " ".join(PACKAGES[name] for name in missing)
    return doubt("ssh files", f"no {' and no '.join(missing)}: files cannot be brought into environments with it",
                 f"apt-get install {packages}")


def _host_key(settings: Settings) -> Finding:
    folder = settings.state / HOST_KEYS
    if os.geteuid() != 0:
        return doubt("ssh key", "not looked at: root alone may read it", "run the doctor as root")
    if not (folder / NAME).exists():
        return well("ssh key", "it is made when the daemon starts")
    try:
        key = ensure_host_key(folder)
    except DeployError as error:
        return Finding.of("ssh key", error)
    return well("ssh key", f"{key.kind} {key.fingerprint}")


def _runs(settings: Settings, server: int | None) -> Finding:
    if server is not None:
        return well("ssh", f"deployd-ssh runs (process {server})")
    return wrong("ssh", "deployd-ssh does not run",
                 "systemctl enable --now deployd-ssh; without systemd, start the daemon")


def _process(settings: Settings) -> int | None:
    """Who holds the lock."""
    with suppress(OSError, ValueError):
        pid = int((link_folder(settings.run) / LOCK).read_text())
        if b"ssh" in Path(f"/proc/{pid}/cmdline").read_bytes():
            return pid
    return None


