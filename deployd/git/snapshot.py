"""The files of a commit for the configuration reader: all paths known, contents fetched as they are asked for.

The reader is pure and cannot wait for git. So it is simply called again: what it asked for and was not there is loaded,
and the second or third time everything is.
"""

from __future__ import annotations

import posixpath
from collections.abc import Iterable, Mapping
from typing import ClassVar

from deployd.errors import DeployError
from deployd.git.mirror import Mirror
from deployd.git.program import git
from deployd.ids import CommitId
from deployd.project.model import MAGENTO, PLATFORMSH, Dialect, ReadResult
from deployd.project.reader import read_project
from deployd.project.tree import NotLoaded

LARGEST_FILE_BYTES = 4_000_000
MOST_BYTES = 32_000_000
MOST_ROUNDS = 200
LINK, FOLDER, SUBMODULE = "120000", "040000", "160000"


class ConfigurationTooLarge(DeployError):
    """The configuration files, with all that they include, are larger than can be read."""

    code: ClassVar[str] = "configuration-too-large"


class Snapshot:
    """A `Tree` of one commit."""

    def __init__(self, entries: Mapping[str, tuple[str, str, int]]) -> None:
        """
        Args:
            entries: {path: (mode, object id, size)}, folders included.
        """
        self._entries = entries
        self._loaded: dict[str, bytes] = {}

    @classmethod
    async def open(cls, mirror: Mirror, commit: CommitId, env: Mapping[str, str] | None = None) -> Snapshot:
        listed = await git(mirror.path, "ls-tree", "-r", "-t", "-l", "-z", commit, env=env)
        entries = {}
        for entry in listed.stdout.decode("utf-8", "surrogateescape").split("\0"):
            if entry:
                meta, path = entry.split("\t", 1)
                mode, _, name, size = meta.split()
                entries[path] = (mode, name, int(size) if size.isdigit() else 0)
        return cls(entries)

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
                    where=path, mend="make the file smaller",
                )
            raise NotLoaded(path)
        return self._loaded[path]

    def is_link(self, path: str) -> bool:
        return self._entries.get(path, ("", "", 0))[0] == LINK

    def is_folder(self, path: str) -> bool:
        return path == "" or self._entries.get(path, ("", "", 0))[0] in (FOLDER, SUBMODULE)

    def likely(self) -> list[str]:
        """Files that the reader will ask for: those with names of configuration files, and what lies beside them."""
        names = {MAGENTO.app_file, PLATFORMSH.app_file, ".magento.env.yaml"}
        folders = {MAGENTO.folder, PLATFORMSH.folder}
        return [
            path for path in self.paths()
            if posixpath.basename(path) in names or (path.split("/", 1)[0] in folders and path.endswith(".yaml"))
        ]

    async def load(self, mirror: Mirror, paths: Iterable[str], env: Mapping[str, str] | None = None) -> None:
        wanted = [path for path in paths if path not in self._loaded and not self.is_link(path)
                  and self._entries[path][2] <= LARGEST_FILE_BYTES]
        if sum(self._entries[path][2] for path in (*wanted, *self._loaded)) > MOST_BYTES:
            raise ConfigurationTooLarge(
                f"the configuration files have more than {MOST_BYTES:,} bytes together", mend="include fewer files",
            )
        if not wanted:
            return
        asked = "".join(f"{self._entries[path][1]}\n" for path in wanted).encode()
        answer = (await git(mirror.path, "cat-file", "--batch", env=env, stdin=asked)).stdout
        at = 0
        for path in wanted:
            head, _, _ = answer[at:at + 200].partition(b"\n")
            size = int(head.split()[2])
            begin = at + len(head) + 1
            self._loaded[path] = answer[begin:begin + size]
            at = begin + size + 1


async def read_at(
    mirror: Mirror, commit: CommitId, *, dialect: Dialect | None = None, tolerant: bool = False,
    runnable: frozenset[str] | None = None, env: Mapping[str, str] | None = None,
) -> ReadResult:
    """Read the project's configuration at a commit.

    Args:
        runnable: Types of services that can be started; None: all.
        env: Where the objects of a push lie that is not accepted yet (see `program.QUARANTINE`).

    Raises:
        ConfigurationTooLarge: It includes more than can be read.
    """
    snapshot = await Snapshot.open(mirror, commit, env)
    await snapshot.load(mirror, snapshot.likely(), env)
    for _ in range(MOST_ROUNDS):
        try:
            return read_project(snapshot, dialect=dialect, tolerant=tolerant, runnable=runnable)
        except NotLoaded as missing:
            await snapshot.load(mirror, [missing.path], env)
    raise ConfigurationTooLarge(f"the configuration includes more than {MOST_ROUNDS} files", mend="include fewer files")
