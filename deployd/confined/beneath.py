"""Folders and files below a folder of root's, opened by descriptor and never through a link.

Each component is opened relative to the one before with O_NOFOLLOW, so a link that is swapped in while we look is an
error and no way out. A folder that is moved while we hold it is still a folder of the same tenant: all that it can be
moved to is what its container sees.
"""

from __future__ import annotations

import ctypes
import os
import stat
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import ClassVar

from deployd.errors import DeployError

FOLDER = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
FILE = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
"""O_NONBLOCK: a pipe that was put there must not keep us waiting for who writes into it."""
FALLOC_FL_KEEP_SIZE = 1
"""<linux/falloc.h>; Python has only the call that makes the file longer."""
_libc = ctypes.CDLL(None, use_errno=True)


class NotBeneath(DeployError):
    """A path leads through a link, a file, or out of the folder that it has to stay in."""

    code: ClassVar[str] = "not-beneath"
    kind = "something else"
    """What is in the way, in words."""
    number = 0
    """Of the folder, where several were asked for."""
    held = ""
    """What in that folder another one is to be mounted on, when it is this."""


@contextmanager
def open_folder(root: Path, relative: str = "", *, make_for: int | None = None) -> Iterator[int]:
    """A descriptor of a folder below `root`. Blocking.

    Args:
        root: A folder of root's, in a path of root's.
        relative: Below it, whoever wrote it; "" is the root itself.
        make_for: Make the folders that are missing, for the user (and group) with this number.

    Raises:
        NotBeneath: A component is a link or a file, or `..`.
        FileNotFoundError: There is none, and none is to be made.
    """
    held = os.open(root, FOLDER)
    try:
        for number, name in enumerate(parts := parts_of(relative), 1):
            if make_for is not None:
                _make(held, name, make_for)
            try:
                inner = os.open(name, FOLDER, dir_fd=held)
            except FileNotFoundError:
                raise
            except OSError:
                so_far = "/".join(parts[:number])
                kind = _kind(held, name)
                blocked = NotBeneath(
                    f"{so_far} is {kind}, and no folder", where=str(root), hint=f"remove {so_far}, or make it a folder",
                )
                blocked.kind = kind
                raise blocked from None
            os.close(held)
            held = inner
        yield held
    finally:
        os.close(held)


@contextmanager
def open_beneath(folder: int, names: Sequence[str]) -> Iterator[int]:
    """A descriptor of a folder below one that is open. Blocking.

    Raises:
        OSError: There is none, or a link leads to it.
    """
    held = os.dup(folder)
    try:
        for name in names:
            inner = os.open(name, FOLDER, dir_fd=held)
            os.close(held)
            held = inner
        yield held
    finally:
        os.close(held)


def _kind(parent: int, name: str) -> str:
    with suppress(OSError):
        if stat.S_ISLNK(os.stat(name, dir_fd=parent, follow_symlinks=False).st_mode):
            return "a symbolic link"
    return "a file"


def _make(parent: int, name: str, owner: int) -> None:
    """A folder for a tenant. It is given away by descriptor: what is there under its name by then may be another."""
    try:
        os.mkdir(name, 0o755, dir_fd=parent)
    except FileExistsError:
        return
    made = os.open(name, FOLDER, dir_fd=parent)
    try:
        # Only what root has just made: who swaps in a folder of his own gets nothing that he did not have.
        if os.fstat(made).st_uid == 0:
            os.fchmod(made, 0o755)
            os.fchown(made, owner, owner)
    finally:
        os.close(made)


def parts_of(relative: str) -> list[str]:
    """The components of a path.

    Raises:
        NotBeneath: One of them is `..`, or has a NUL in it.
    """
    parts = [part for part in relative.split("/") if part not in ("", ".")]
    if ".." in parts or "\0" in relative:
        raise NotBeneath(f"{relative!r} is not a path below a folder", hint="name a folder without `..`")
    return parts


def read_file(folder: int, name: str, most: int, *, offset: int = 0) -> bytes | None:
    """Up to `most` bytes of a regular file in a folder; None when there is none, or it is something else. Blocking."""
    try:
        handle = os.open(name, FILE, dir_fd=folder)
    except OSError:   # not there, a link, a socket
        return None
    try:
        if not stat.S_ISREG(os.fstat(handle).st_mode):
            return None
        return os.pread(handle, most, offset)
    finally:
        os.close(handle)


def write_file(folder: int, name: str, content: bytes, *, mode: int, group: int = 0, room_bytes: int = 0) -> None:
    """Have a file of root's in a folder of root's; one of this name is replaced in one rename. Blocking.

    Args:
        room_bytes: So much can be written into it, whatever becomes of the disk; where its file system can do that.
    """
    new = f".{name}.new"
    with suppress(FileNotFoundError):
        os.unlink(new, dir_fd=folder)
    handle = os.open(new, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600, dir_fd=folder)
    with os.fdopen(handle, "wb") as file:
        file.write(content)
        if room_bytes:
            _libc.fallocate(handle, FALLOC_FL_KEEP_SIZE, ctypes.c_long(0), ctypes.c_long(room_bytes))
        os.fchown(handle, 0, group)
        os.fchmod(handle, mode)
    os.rename(new, name, src_dir_fd=folder, dst_dir_fd=folder)


def sync_disk(folder: int) -> None:
    """Have all that was written to the disk of a folder be on it. Blocking.

    Raises:
        OSError: Not all of it is.
    """
    if _libc.syncfs(folder) != 0:
        raise OSError(ctypes.get_errno(), f"syncfs: {os.strerror(ctypes.get_errno())}")


def is_roots(folder: int) -> bool:
    """Whether a folder belongs to root and nobody else may write into it."""
    seen = os.fstat(folder)
    return seen.st_uid == 0 and not seen.st_mode & (stat.S_IWGRP | stat.S_IWOTH)
