"""A folder on disk as the reader's `Tree`, for `deployd check` and `deployd plan`.

In a git checkout the reader sees what a push would bring: `.git` is left out, and links are listed but never followed.
"""

from __future__ import annotations

import os
from collections.abc import Iterable
from pathlib import Path

MOST_FILES = 500_000  # a home folder by mistake must not take minutes


class DiskTree:
    """Files below a folder."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self._paths: dict[str, bool] | None = None
        """{path: is a link}"""

    def paths(self) -> Iterable[str]:
        return self._all()

    def read(self, path: str) -> bytes:
        full = self.root / path
        if self._leaves(path) or full.is_symlink() or not full.is_file():
            raise FileNotFoundError(path)
        return full.read_bytes()

    def is_link(self, path: str) -> bool:
        return (self.root / path).is_symlink()

    def is_folder(self, path: str) -> bool:
        return not self._leaves(path) and (self.root / path).is_dir()

    def _leaves(self, path: str) -> bool:
        """Whether a part of the path is a link or leads up."""
        parts = path.split("/")
        return ".." in parts or any(
            (self.root / "/".join(parts[:count])).is_symlink() for count in range(1, len(parts))
        )

    def _all(self) -> dict[str, bool]:
        if self._paths is None:
            self._paths = {}
            self._walk("", self._paths)
        return self._paths

    def _walk(self, top: str, found: dict[str, bool]) -> None:
        waiting = [top]
        while waiting and len(found) < MOST_FILES:
            folder = waiting.pop()
            try:
                entries = list(os.scandir(self.root / folder))
            except OSError:
                continue  # a folder of somebody else
            for entry in entries:
                path = f"{folder}/{entry.name}" if folder else entry.name
                if entry.is_symlink():
                    found[path] = True
                elif entry.is_dir():
                    if entry.name != ".git":
                        waiting.append(path)
                elif entry.is_file():
                    found[path] = False
