"""How large a commit may be. Git names a billion files with a few objects; a disk does not hold them. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from deployd.errors import DeployError
from deployd.units import MEGABYTE, megabytes


class TreeTooLarge(DeployError):
    """The commit has more files, or larger ones, than can be deployed."""

    code: ClassVar[str] = "tree-too-large"


@dataclass(frozen=True, slots=True)
class TreeLimits:
    """How large a commit may be, submodules each for itself."""

    files: int = 500_000
    size_bytes: int = 4_096 * MEGABYTE

    def too_many_files(self, where: str = "") -> TreeTooLarge:
        return TreeTooLarge(
            f"the commit has more than {self.files:,} files and folders", where=where,
            hint="take out what a build makes anew (dependencies, generated files);"
                 " the operator can raise `limits.tree_files`",
        )

    def refuse(self, files: int, size_bytes: int, where: str = "") -> None:
        """
        Raises:
            TreeTooLarge: There is more than may be.
        """
        if files > self.files:
            raise self.too_many_files(where)
        if size_bytes > self.size_bytes:
            raise TreeTooLarge(
                f"the files of the commit have {megabytes(size_bytes):,.0f} MB,"
                f" at most {megabytes(self.size_bytes):,.0f} MB can be deployed", where=where,
                hint="keep large files in a mount; the operator can raise `limits.tree_mb`",
            )
