"""Pointers of Git LFS in a workspace that no container has seen yet: found, and replaced by what they stand for.

A pointer is a file of three lines in a commit whose `.gitattributes` say `filter=lfs`. Paths are a stranger's word and
opened by descriptor, so that a link among them leads nowhere.
"""

from __future__ import annotations

import hashlib
import os
import re
from collections.abc import Iterable, Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

from deployd.confined.beneath import FILE, NotBeneath, open_folder, read_file

LEAST_BYTES, MOST_BYTES = 120, 1_023
"""Of a pointer: its lines, and what git-lfs's specification allows."""
MOST_LOOKED_AT = 20_000
LARGEST_LIST = 100_000
COPY_BYTES = 1 << 20
LISTS = ".gitattributes"
FILTER = b"filter=lfs"
POINTER = re.compile(
    rb"version https://git-lfs\.github\.com/spec/v1\noid sha256:([0-9a-f]{64})\nsize (\d{1,15})\n"
)


@dataclass(frozen=True, slots=True)
class Pointer:
    path: str
    """From the workspace's top."""
    oid: str
    """SHA-256 of the content."""
    size_bytes: int


def find_pointers(workspace: Path, listing: bytes, above: bytes = b"") -> list[Pointer]:
    """Every pointer in a workspace. Blocking.

    Args:
        listing: What `git ls-tree -r -l -z` says of what lies in it.
        above: What `.gitattributes` above the workspace's folder say.
    """
    files = list(_files(listing))
    if FILTER not in above and not any(
        FILTER in (_read(workspace, path, LARGEST_LIST) or b"")
        for path, _ in files if path.rpartition("/")[2] == LISTS
    ):
        return []
    small = [path for path, size in files if LEAST_BYTES <= size <= MOST_BYTES][:MOST_LOOKED_AT]
    return [
        Pointer(path, found[1].decode(), int(found[2]))
        for path in small if (found := POINTER.fullmatch(_read(workspace, path, MOST_BYTES + 1) or b""))
    ]


def _files(listing: bytes) -> Iterator[tuple[str, int]]:
    for entry in listing.split(b"\0"):
        meta, _, path = entry.partition(b"\t")
        words = meta.split()
        if len(words) == 4 and words[0].startswith(b"100") and words[3].isdigit():
            yield path.decode("utf-8", "surrogateescape"), int(words[3])


def _read(workspace: Path, path: str, most: int) -> bytes | None:
    folder, _, name = path.rpartition("/")
    with suppress(NotBeneath, OSError), open_folder(workspace, folder) as held:
        return read_file(held, name, most)
    return None


@dataclass
class Content:
    """What comes for one object, written beside the first of its pointers as it comes. Blocking."""

    workspace: Path
    pointers: tuple[Pointer, ...]
    digest: hashlib._Hash = field(default_factory=hashlib.sha256)
    size_bytes: int = 0
    handle: int = -1

    @property
    def wanted(self) -> Pointer:
        return self.pointers[0]

    def begin(self) -> None:
        self.end()
        self.digest, self.size_bytes = hashlib.sha256(), 0
        self.handle = os.open(
            self.workspace.parent / f"lfs-{self.wanted.oid}",
            os.O_RDWR | os.O_CREAT | os.O_TRUNC | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600,
        )

    def take(self, chunk: bytes) -> bool:
        """Whether there may be more."""
        self.size_bytes += len(chunk)
        self.digest.update(chunk)
        if self.size_bytes <= self.wanted.size_bytes:
            _write(self.handle, chunk)
        return self.size_bytes <= self.wanted.size_bytes

    def is_right(self) -> bool:
        return (self.size_bytes, self.digest.hexdigest()) == (self.wanted.size_bytes, self.wanted.oid)

    def put(self) -> None:
        """Have it in the place of all its pointers."""
        for pointer in self.pointers:
            folder, _, name = pointer.path.rpartition("/")
            with open_folder(self.workspace, folder) as held:
                target = os.open(name, FILE | os.O_WRONLY | os.O_TRUNC, dir_fd=held)
                try:
                    _copy(self.handle, target, self.size_bytes)
                finally:
                    os.close(target)

    def end(self) -> None:
        if self.handle >= 0:
            os.close(self.handle)
            self.handle = -1
            (self.workspace.parent / f"lfs-{self.wanted.oid}").unlink(missing_ok=True)


def _copy(source: int, target: int, size_bytes: int) -> None:
    done = 0
    while done < size_bytes:
        chunk = os.pread(source, COPY_BYTES, done)
        if not chunk:
            raise OSError("the file ended early")
        _write(target, chunk)
        done += len(chunk)


def _write(handle: int, chunk: bytes) -> None:
    view = memoryview(chunk)
    while view:
        view = view[os.write(handle, view):]


def by_object(pointers: Iterable[Pointer]) -> dict[str, tuple[Pointer, ...]]:
    """{oid: its pointers}"""
    found: dict[str, list[Pointer]] = {}
    for pointer in pointers:
        found.setdefault(pointer.oid, []).append(pointer)
    return {oid: tuple(items) for oid, items in found.items()}
