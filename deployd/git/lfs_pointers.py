"""Pointers of Git LFS in a workspace that no container has seen yet: found, and replaced by what they stand for.

A pointer is a file of three lines in a commit whose `.gitattributes` say `filter=lfs`. Paths are a stranger's word and
opened by descriptor, so that a link among them leads nowhere.
"""

from __future__ import annotations

import hashlib
import os
import re
import tempfile
import threading
from collections.abc import Iterable, Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

from deployd.confined.beneath import FILE, NotBeneath, open_folder, read_file

LEAST_BYTES, MOST_BYTES = 126, 140
"""Of a pointer: what its three lines come to. So hardly anything else is read, whatever else the commit has."""
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
    small = [path for path, size in files if LEAST_BYTES <= size <= MOST_BYTES]
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
    """What comes for one object, kept in a file without a name as it comes. Blocking.

    A thread goes on when whoever waits for it is cancelled. So `end` waits for it: the number of a file that is closed
    under it is soon another file's.
    """

    workspace: Path
    pointers: tuple[Pointer, ...]
    digest: hashlib._Hash = field(default_factory=hashlib.sha256)
    size_bytes: int = 0
    handle: int = -1
    ended: bool = False
    turn: threading.Lock = field(default_factory=threading.Lock)

    @property
    def wanted(self) -> Pointer:
        return self.pointers[0]

    def begin(self) -> None:
        with self.turn, tempfile.TemporaryFile(dir=self.workspace.parent) as file:
            if not self.ended:
                self.handle = os.dup(file.fileno())

    def take(self, chunk: bytes) -> bool:
        """Whether there may be more."""
        with self.turn:
            self.size_bytes += len(chunk)
            self.digest.update(chunk)
            if self.ended or self.size_bytes > self.wanted.size_bytes:
                return False
            _write(self.handle, chunk)
            return True

    def is_right(self) -> bool:
        return (self.size_bytes, self.digest.hexdigest()) == (self.wanted.size_bytes, self.wanted.oid)

    def put(self) -> None:
        """Have it in the place of all its pointers."""
        with self.turn:
            for pointer in self.pointers:
                folder, _, name = pointer.path.rpartition("/")
                with open_folder(self.workspace, folder) as held:
                    target = os.open(name, FILE | os.O_WRONLY | os.O_TRUNC, dir_fd=held)
                    try:
                        self._copy(target)
                    finally:
                        os.close(target)

    def _copy(self, target: int) -> None:
        done = 0
        while done < self.size_bytes:
            chunk = b"" if self.ended else os.pread(self.handle, COPY_BYTES, done)
            if not chunk:
                raise OSError("the file ended early")
            _write(target, chunk)
            done += len(chunk)

    def end(self) -> None:
        self.ended = True
        with self.turn:
            if self.handle >= 0:
                os.close(self.handle)
                self.handle = -1


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
