"""The router's configuration on disk: rendered into a folder named by its content, and a link to the one in use.

A folder is complete before it has its name, and is never changed; nginx follows the link at its next start or reload.
So a configuration can be tested before it is used, and the last good one stays.
"""

from __future__ import annotations

import hashlib
import os
import shutil
from pathlib import Path, PurePosixPath
from typing import ClassVar

from deployd.errors import DeployError
from deployd.router.passes import ensure_pass_key
from deployd.router.paths import LONGEST_SOCKET_PATH, WWW_DATA, RouterPlaces
from deployd.router_process.nginx_conf import RouterConfig, render_nginx

ELSEWHERE = PurePosixPath("/elsewhere")


class RouterNotConfigured(DeployError):
    """The router's configuration cannot be written or is not accepted by nginx; the one in use stays."""

    code: ClassVar[str] = "router-not-configured"


def write_router_files(source: Path, places: RouterPlaces, config: RouterConfig) -> Path:
    """Write nginx.conf, the Lua files and the pages; have what the router needs beside them. Returns the folder of the
    three. Blocking, some thirty small files.

    Args:
        source: config/router of the program.
        places: Of the seat that the router has.
    """
    if len(os.fsencode(places.earlier)) > LONGEST_SOCKET_PATH:
        raise RouterNotConfigured(
            f"the path of the router's control socket is longer than {LONGEST_SOCKET_PATH} bytes",
            where=str(places.earlier), hint="choose a shorter `directory` or `run` in the settings",
        )
    for folder in (places.folder, places.own):
        folder.mkdir(mode=0o755, parents=True, exist_ok=True)
        folder.chmod(0o755)   # nginx's workers are not root
    places.control.mkdir(mode=0o700, exist_ok=True)
    ensure_pass_key(places.pass_key)
    for folder in (places.behind, places.logs, places.certificates, places.challenges):
        folder.mkdir(mode=0o700, exist_ok=True)
        os.chown(folder, -1, WWW_DATA)
        folder.chmod(0o710)   # they may come in, others not
    ensure_access_log(places.access_log)
    template = (source / "nginx.conf.j2").read_text()
    version = places.version(_digest(source, render_nginx(template, config, places, ELSEWHERE)))
    if not version.is_dir():
        _fill(version, source, render_nginx(template, config, places, version))
    return version


def ensure_access_log(file: Path) -> None:
    """Have a file into which nginx's workers write and which its master can open again.

    nginx gives the file to its workers' user; root in the container has no more rights than others there and keeps its
    own by the group.
    """
    file.touch()
    file.chmod(0o664)


def use(places: RouterPlaces, folder: Path) -> None:
    """Let the link name this configuration, in one step, and remove all but this one and the one before."""
    before = places.current.resolve() if places.current.is_symlink() else None
    lead(places.current, folder.name)
    for old in places.own.glob("config-*"):
        if old not in (folder, before):
            shutil.rmtree(old)


def lead(link: Path, target: str) -> None:
    """Let a link lead to another file of its folder, in one step."""
    new = link.with_name(f"{link.name}.new")
    new.unlink(missing_ok=True)
    new.symlink_to(target)
    new.rename(link)


def _fill(folder: Path, source: Path, nginx_conf: str) -> None:
    unfinished = folder.with_name("unfinished")
    shutil.rmtree(unfinished, ignore_errors=True)
    for part in ("lua", "pages"):
        shutil.copytree(source / part, unfinished / part)
    (unfinished / "nginx.conf").write_text(nginx_conf)
    unfinished.rename(folder)


def _digest(source: Path, nginx_conf: str) -> str:
    found = hashlib.sha256(nginx_conf.encode())
    for file in sorted(path for part in ("lua", "pages") for path in (source / part).rglob("*") if path.is_file()):
        found.update(f"\0{file.relative_to(source)}\0".encode() + file.read_bytes())
    return found.hexdigest()[:16]
