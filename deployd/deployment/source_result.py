"""What a source operation left: the commit that it names, and the pack with what the mirror lacks of it.

Everything in that folder is theirs: it is read by descriptor, a file of theirs is copied before anybody looks into it.
"""

from __future__ import annotations

from pathlib import Path
from typing import ClassVar

from deployd.confined.beneath import open_folder, read_file
from deployd.errors import DeployError
from deployd.git.clones import commit_named
from deployd.ids import CommitId
from deployd.units import MEGABYTE

LARGEST_PACK = 200 * MEGABYTE
CHUNK_BYTES = 1_000_000


class CommittedTooMuch(DeployError):
    """What an operation committed is larger than may be."""

    code: ClassVar[str] = "committed-too-much"


def commit_left(folder: Path) -> CommitId | None:
    """What the last command says that the branch is to be at."""
    with open_folder(folder, "out") as out:
        said = read_file(out, "commit", 100) or b""
    return commit_named(said.decode("ascii", "replace").strip())


def copy_of_pack(folder: Path) -> Path | None:
    """The pack as a file of root's, which nobody changes any more; None: there is none.

    Raises:
        CommittedTooMuch: It is too large.
    """
    copy = folder / "pack"
    with open_folder(folder, "out") as out, copy.open("wb") as file:
        size = 0
        while chunk := read_file(out, "pack", CHUNK_BYTES, offset=size):
            size += len(chunk)
            if size > LARGEST_PACK:
                raise CommittedTooMuch(
                    f"the operation committed more than {LARGEST_PACK // MEGABYTE} MB", hint="push that by hand",
                )
            file.write(chunk)
    return copy if size else None
