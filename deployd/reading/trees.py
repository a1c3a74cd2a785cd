"""The two trees that a reader reads: a commit's, whose files are asked for, and one that somebody offers for a plan."""

from __future__ import annotations

import posixpath
from collections.abc import Callable, Iterable, Mapping, Sequence

from deployd.project.model import CHECKS_FILE, DIALECTS
from deployd.project.tree.limits import TreeLimits, TreeTooLarge
from deployd.reading.bounds import (
    LARGEST_FILE_BYTES,
    LONGEST_PATH_BYTES,
    MOST_BYTES,
    ConfigurationTooLarge,
)

LINK, FOLDER, SUBMODULE = "120000", "040000", "160000"
Load = Callable[[Sequence[str]], list[bytes]]
"""The contents of objects by their ids."""


class CommitTree:
    """A `Tree` of one commit, from what `git ls-tree -r -t -l -z` says."""

    def __init__(self, listing: bytes, limits: TreeLimits, load: Load) -> None:
        """
        Raises:
            TreeTooLarge: The commit has more than may be.
        """
        self._load = load
        self._loaded: dict[str, bytes] = {}
        self._taken_bytes = 0
        self._entries: dict[str, tuple[str, str, int]] = {}
        size_bytes = 0
        for entry in listing.decode("utf-8", "surrogateescape").split("\0"):
            if entry:
                meta, path = entry.split("\t", 1)
                mode, _, name, size = meta.split()
                self._entries[path] = (mode, name, int(size) if size.isdigit() else 0)
                size_bytes += self._entries[path][2]
        limits.refuse(len(self._entries), size_bytes)
        self._refuse_long_paths()
        self._take([path for path in self._likely() if self._entries[path][2] <= LARGEST_FILE_BYTES])

    def paths(self) -> Iterable[str]:
        return (path for path, (mode, _, _) in self._entries.items() if mode not in (FOLDER, SUBMODULE))

    def read(self, path: str) -> bytes:
        mode, _, size = self._entries.get(path, ("", "", 0))
        if mode in ("", LINK, FOLDER, SUBMODULE):
            raise FileNotFoundError(path)
        if path not in self._loaded:
            if size > LARGEST_FILE_BYTES:
                raise ConfigurationTooLarge(
                    f"{path} has {size:,} bytes; a configuration file may have {LARGEST_FILE_BYTES:,}",
                    where=path, hint="make the file smaller",
                )
            self._take([path])
        return self._loaded[path]

    def is_link(self, path: str) -> bool:
        return self._entries.get(path, ("", "", 0))[0] == LINK

    def is_folder(self, path: str) -> bool:
        return path == "" or self._entries.get(path, ("", "", 0))[0] in (FOLDER, SUBMODULE)

    def is_submodule(self, path: str) -> bool:
        return self._entries.get(path, ("", "", 0))[0] == SUBMODULE

    def size(self, path: str) -> int:
        return self._entries.get(path, ("", "", 0))[2]

    @property
    def smudges(self) -> bool:
        return False

    def _refuse_long_paths(self) -> None:
        longest = max(self._entries, key=len, default="")
        if len(longest) > LONGEST_PATH_BYTES:
            raise TreeTooLarge(
                f"the commit has a path of {len(longest):,} characters, at most {LONGEST_PATH_BYTES:,} can be written",
                where=longest[:80], hint="nest folders less deep",
            )

    def _likely(self) -> list[str]:
        """Files that will be read for certain: fetched together, they cost one wait."""
        names = {name for dialect in DIALECTS.values() for name in (dialect.app_file, dialect.tool_file) if name}
        folders = {dialect.folder for dialect in DIALECTS.values()}
        return [
            path for path, (mode, _, _) in self._entries.items() if mode not in (LINK, FOLDER, SUBMODULE)
            and (posixpath.basename(path) in names or path == CHECKS_FILE
                 or (path.split("/", 1)[0] in folders and path.endswith(".yaml")))
        ]

    def _take(self, paths: Sequence[str]) -> None:
        self._taken_bytes += sum(self._entries[path][2] for path in paths)
        if self._taken_bytes > MOST_BYTES:
            raise ConfigurationTooLarge(
                f"the configuration files have more than {MOST_BYTES:,} bytes together", hint="include fewer files",
            )
        contents = self._load([self._entries[path][1] for path in paths])
        self._loaded.update(zip(paths, contents, strict=True))


class OfferedTree:
    """A `Tree` of files that are not committed."""

    def __init__(self, files: Mapping[str, bytes], paths: Iterable[str]) -> None:
        """
        Args:
            files: {path: content} of the configuration files, with all that they include.
            paths: Every path of the tree.
        """
        self._files = files
        self._paths = frozenset(paths)
        self._folders = {folder for path in self._paths for folder in _folders_of(path)}

    def paths(self) -> Iterable[str]:
        return self._paths

    def read(self, path: str) -> bytes:
        try:
            return self._files[path]
        except KeyError:
            raise FileNotFoundError(path) from None

    def is_link(self, path: str) -> bool:
        return False

    def is_folder(self, path: str) -> bool:
        return path == "" or path in self._folders

    def is_submodule(self, path: str) -> bool:
        return False

    def size(self, path: str) -> int:
        return len(self._files.get(path, b""))

    @property
    def smudges(self) -> bool:
        return False


def _folders_of(path: str) -> Iterable[str]:
    while path := path.rpartition("/")[0]:
        yield path
