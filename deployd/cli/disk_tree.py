"""A folder on disk as the reader's `Tree`, for `deployd check` and `deployd plan`.

It is what a push of the folder would bring: files that git tracks, with their present content, and new configuration
files beside them. Folders that git does not track (`node_modules`, `vendor`) are not searched; they can hold a hundred
thousand files and configuration of others. Without git, everything counts. Links are listed, never followed.
"""

from __future__ import annotations

import os
from collections.abc import Iterable
from pathlib import Path

from deployd.cli.git_index import tracked_files

MOST_FILES = 500_000  # a home folder by mistake must not take minutes
_CONFIGURATION = (".magento", ".platform", ".upsun")


class DiskTree:
    """Files below a folder."""

    def __init__(self, root: Path) -> None:
        self.root = root.resolve()
        self._paths: dict[str, bool] | None = None
        """{path: is a link}"""

    def paths(self) -> Iterable[str]:
        if self._paths is None:
            self._paths = self._walk()
        return self._paths

    def read(self, path: str) -> bytes:
        full = self.root / path
        if self._leaves(path) or full.is_symlink() or not full.is_file():
            raise FileNotFoundError(path)
        return full.read_bytes()

    def is_link(self, path: str) -> bool:
        return (self.root / path).is_symlink()

    def is_folder(self, path: str) -> bool:
        return not self._leaves(path) and (self.root / path).is_dir()

    def is_submodule(self, path: str) -> bool:
        return path != "" and self.is_folder(path) and (self.root / path / ".git").exists()

    def size(self, path: str) -> int:
        try:
            return (self.root / path).lstat().st_size
        except OSError:
            return 0

    @property
    def smudges(self) -> bool:
        return (self.root / ".git" / "lfs").is_dir()

    def _leaves(self, path: str) -> bool:
        """Whether a part of the path is a link, leads up or belongs to git."""
        parts = path.split("/")
        return not {"..", ".git"}.isdisjoint(parts) or any(
            (self.root / "/".join(parts[:count])).is_symlink() for count in range(1, len(parts))
        )

    def _walk(self) -> dict[str, bool]:
        tracked = tracked_files(self.root)
        folders = None if tracked is None else _folders_of(tracked)
        found: dict[str, bool] = {}
        waiting = [""]
        while waiting and len(found) < MOST_FILES:
            folder = waiting.pop()
            is_new = folders is not None and folder not in folders
            for entry in _entries(self.root / folder):
                path = f"{folder}/{entry.name}" if folder else entry.name
                if entry.is_symlink():
                    found[path] = True
                elif entry.is_dir():
                    if entry.name != ".git" and not (is_new and not entry.name.startswith(_CONFIGURATION)):
                        waiting.append(path)
                elif entry.is_file():
                    found[path] = False
        return found


def _entries(folder: Path) -> list[os.DirEntry[str]]:
    try:
        with os.scandir(folder) as entries:
            return list(entries)
    except OSError:
        return []  # a folder of somebody else, or gone meanwhile


def _folders_of(paths: Iterable[str]) -> set[str]:
    """Every folder that holds one of the paths, at any depth."""
    found = {""}
    for path in paths:
        folder = path.rpartition("/")[0]
        while folder and folder not in found:
            found.add(folder)
            folder = folder.rpartition("/")[0]
    return found
