"""The folders of an application's mounts in its built tree: a read-only slug must have an empty one for each.

The tree was made by a build, which nobody vouches for: no symbolic link of it is followed, or a `var -> /etc` would let
a build make folders on the host.
"""

from __future__ import annotations

import os
from collections.abc import Iterable
from pathlib import Path

from deployd.slugs.errors import MountPointBlocked


def make_mount_points(workspace: Path, mounts: Iterable[str]) -> None:
    """Make the folders that are missing. A file or link at the place itself gives way: the mount would hide it anyway.

    Args:
        mounts: Paths below the workspace, without outer slashes.

    Raises:
        MountPointBlocked: A folder on the way is a file or a symbolic link.
    """
    for mount in sorted(set(mounts)):
        *above, last = _parts(mount)
        place = workspace
        for name in above:
            place /= name
            if place.is_symlink() or (os.path.lexists(place) and not place.is_dir()):
                raise MountPointBlocked(
                    f"cannot have the mount {mount}: {place.relative_to(workspace)} is "
                    f"{'a symbolic link' if place.is_symlink() else 'a file'} in what was built",
                    mend="let the build leave a folder there, or nothing; or mount somewhere else",
                )
            place.mkdir(exist_ok=True)
        place /= last
        if place.is_symlink() or (os.path.lexists(place) and not place.is_dir()):
            place.unlink()
        place.mkdir(exist_ok=True)


def covered_mounts(workspace: Path, mounts: Iterable[str]) -> tuple[str, ...]:
    """Mounts that hide something of the built tree: a folder that is not empty, a file or a link. Worth a warning."""
    return tuple(mount for mount in dict.fromkeys(mounts) if _covers(workspace, mount))


def _covers(workspace: Path, mount: str) -> bool:
    place = workspace
    for name in _parts(mount):
        if place.is_symlink():
            return False
        place /= name
    if place.is_symlink() or place.is_file():
        return True
    return place.is_dir() and any(place.iterdir())


def _parts(mount: str) -> list[str]:
    parts = [part for part in mount.split("/") if part not in ("", ".")]
    if not parts or ".." in parts:
        raise MountPointBlocked(f"cannot have the mount {mount!r}: it is not a folder below the application's root")
    return parts
