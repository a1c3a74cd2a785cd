"""The files of a commit, as the reader sees them: a small protocol, so that it never touches a disk or git itself."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Protocol


class Tree(Protocol):
    """A snapshot of a repository. Paths are relative, with `/`, without a leading slash."""

    def paths(self) -> Iterable[str]:
        """Path of every regular file and symbolic link; submodules are not descended into unless checked out."""
        ...

    def read(self, path: str) -> bytes:
        """Bytes of a regular file, symbolic links not followed.

        Raises:
            FileNotFoundError: no such file, or it is a symbolic link or a folder.
            Anything else (it is too large, git is gone) passes through the reader untouched.
        """
        ...

    def is_link(self, path: str) -> bool:
        """Whether the path is a symbolic link."""
        ...

    def is_folder(self, path: str) -> bool:
        """Whether the path is a folder (or a submodule); "" always is."""
        ...

    def is_submodule(self, path: str) -> bool:
        """Whether the folder is another repository, which is fetched when the application is built."""
        ...

    def size(self, path: str) -> int:
        """Bytes of a file; 0 when that is not known."""
        ...

    @property
    def smudges(self) -> bool:
        """Whether Git LFS has put contents in the place of its pointers, so that they cannot be seen here."""
        ...


def inside(path: str) -> str | None:
    """A path without outer slashes and dots; None when it leads out."""
    parts = [part for part in path.split("/") if part not in ("", ".")]
    return None if ".." in parts or "\0" in path or "\n" in path else "/".join(parts)
