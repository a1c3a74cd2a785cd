"""The folders of an application's mounts in its built tree: a read-only slug must have an empty one for each.

The tree was made by a build, which nobody vouches for: no symbolic link of it is followed, or a `var -> /etc` would let
a build make folders on the host.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path

from deployd.confined.beneath import NotBeneath, open_folder
from deployd.slugs.errors import MountPointBlocked

ROOT = 0
"""Who folders are made for: packing gives all that is in a slug to its user."""


def make_mount_points(workspace: Path, mounts: Iterable[str]) -> None:
    """Make the folders that are missing. A file or link at the place itself gives way: the mount would hide it anyway.

    Args:
        mounts: Paths below the workspace, without outer slashes.

    Raises:
        MountPointBlocked: A folder on the way is a file or a symbolic link.
    """
    for mount in sorted(set(mounts)):
        *above, last = _parts(mount)
        try:
            with open_folder(workspace, "/".join(above), make_for=ROOT) as held:
                if (kind := _kind(held, last)) is not None and not stat.S_ISDIR(kind):
                    os.unlink(last, dir_fd=held)
                with suppress(FileExistsError):
                    os.mkdir(last, dir_fd=held)
        except NotBeneath as error:
            raise MountPointBlocked(
                f"cannot have the mount {mount}: in what was built, {error.what}",
                hint="let the build leave a folder there, or nothing; or mount somewhere else",
            ) from None


def covered_mounts(workspace: Path, mounts: Iterable[str]) -> tuple[str, ...]:
    """Mounts that hide something of the built tree: a folder that is not empty, a file or a link. Worth a warning."""
    return tuple(mount for mount in dict.fromkeys(mounts) if _covers(workspace, mount))


def _covers(workspace: Path, mount: str) -> bool:
    *above, last = _parts(mount)
    with suppress(FileNotFoundError, NotBeneath), open_folder(workspace, "/".join(above)) as held:
        kind = _kind(held, last)
        if kind is not None and stat.S_ISDIR(kind):
            with open_folder(workspace, mount) as own, os.scandir(own) as entries:
                return any(True for _ in entries)
        return kind is not None
    return False


def _kind(folder: int, name: str) -> int | None:
    """Mode of an entry; None when there is none."""
    try:
        return os.stat(name, dir_fd=folder, follow_symlinks=False).st_mode
    except FileNotFoundError:
        return None


def _parts(mount: str) -> list[str]:
    parts = [part for part in mount.split("/") if part not in ("", ".")]
    if not parts or ".." in parts:
        raise MountPointBlocked(f"cannot have the mount {mount!r}: it is not a folder below the application's root")
    return parts
