"""A working tree as git would commit it, without committing anything."""

from __future__ import annotations

from pathlib import Path

from deployd.git.program import git
from deployd.ids import TreeId


async def tree_of_directory(repository: Path, directory: Path, index: Path) -> TreeId:
    """Id of the tree that `git add --all` would make, ignored files left out; the index of the person is not touched.

    Args:
        repository: The `.git` folder.
        index: Where a throw-away index may be written.

    Raises:
        ProgramFailed: It is not a git repository.
    """
    env = {"GIT_INDEX_FILE": str(index), "GIT_WORK_TREE": str(directory)}
    await git(repository, "add", "--all", ".", env=env)
    return TreeId((await git(repository, "write-tree", env=env)).text)
