"""Which files of two slugs differ, found by a program that can be killed and keeps its mounts to itself."""

from __future__ import annotations

import asyncio
import json
import sys
import tempfile
from collections import OrderedDict
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

from deployd.errors import DeployError
from deployd.ids import SlugKey
from deployd.process import ProgramFailed, ProgramOverran, run
from deployd.slugs.archive import SlugStore

PROGRAM = ("unshare", "--mount", "--propagation", "private", sys.executable, "-I", "-m", "deployd.slugs.file_changes")
LIMIT_SECONDS = 45.0
"""More than the program gives itself: a folder of hundreds of thousands of files is looked at as a whole."""
MOST_KEPT = 50
"""Answers; slugs never change."""
LARGEST_ANSWER_BYTES = 4_000_000


class SlugsNotCompared(DeployError):
    """The files of two slugs could not be compared."""

    code: ClassVar[str] = "slugs-not-compared"


@dataclass(frozen=True, slots=True)
class FileChange:
    kind: str
    """`added`, `changed` or `removed`."""
    path: str
    before_bytes: int | None
    after_bytes: int | None


@dataclass(frozen=True, slots=True)
class FileChanges:
    added: int
    changed: int
    removed: int
    grown_bytes: int
    files: tuple[FileChange, ...]
    """Bounded, by path."""
    unread: int
    """Of the same size, but not looked into."""
    skipped: int
    """Folders that were not looked into: they lie too deep, or there was no time."""


class SlugComparison:
    """One at a time: it reads whole slugs."""

    def __init__(self, store: SlugStore, run_folder: Path) -> None:
        self._store = store
        self._run_folder = run_folder
        self._turn = asyncio.Lock()
        self._known: OrderedDict[tuple[SlugKey, SlugKey], FileChanges] = OrderedDict()

    async def of(self, one: SlugKey, other: SlugKey) -> FileChanges:
        """
        Raises:
            SlugMissing: One is not in storage any more.
            SlugsNotCompared: They could not be mounted, or there is too much to compare.
        """
        async with self._turn:
            known = self._known.get((one, other))
            if known is None:
                known = self._known[one, other] = await self._compare(one, other)
                while len(self._known) > MOST_KEPT:
                    self._known.popitem(last=False)
            return known

    async def _compare(self, one: SlugKey, other: SlugKey) -> FileChanges:
        paths = [str((await self._store.find(key)).path) for key in (one, other)]
        folder = Path(await asyncio.to_thread(tempfile.mkdtemp, prefix="compare-", dir=self._run_folder))
        try:
            said = await run(
                *PROGRAM, *paths, str(folder), limit_seconds=LIMIT_SECONDS, keep_bytes=LARGEST_ANSWER_BYTES,
            )
        except ProgramOverran:
            raise SlugsNotCompared(
                f"the files of the slugs {one[:12]} and {other[:12]} cannot be compared within {LIMIT_SECONDS:g} s",
                hint="there are too many",
            ) from None
        except ProgramFailed as error:
            raise SlugsNotCompared(
                f"the files of the slugs {one[:12]} and {other[:12]} cannot be compared", evidence=error.evidence[-3:],
                hint="see whether the host has loop devices and squashfs: `deployd doctor` looks for them",
            ) from None
        finally:
            await asyncio.to_thread(_remove_empty, folder)
        found = json.loads(said.stdout)
        return FileChanges(
            **found["counts"], grown_bytes=found["grown_bytes"], unread=found["unread"], skipped=found["skipped"],
            files=tuple(FileChange(*item) for item in found["files"]),
        )


def _remove_empty(folder: Path) -> None:
    """Nothing is in it: what was mounted there was never to be seen from here."""
    for name in ("one", "other"):
        with suppress(OSError):
            (folder / name).rmdir()
    with suppress(OSError):
        folder.rmdir()
