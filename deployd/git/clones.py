"""A clone that somebody else's commands write into, and what they made, taken back.

Nothing of ours ever runs git in such a clone once it has been given away: its configuration and its hooks are theirs.
What they made comes as a pack, a file of objects, and is treated as the pack of a push: it is read apart from the
mirror, with a bound on time and memory, and each object is looked at. The mirror gets it when all of it is right.
"""

from __future__ import annotations

import asyncio
import shutil
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import ClassVar

from deployd.errors import DeployError
from deployd.git.mirror import Mirror
from deployd.git.program import git, git_argv, git_environment
from deployd.ids import OBJECT_ID, CommitId
from deployd.process import ProgramFailed, ProgramOverran, run

CLONE_SECONDS, TAKE_SECONDS = 600, 600
HINT = "push it by hand: the same is told there"
BOUNDED = ("nice", "-n", "5", "prlimit", "--cpu=600", f"--data={4 * 1024**3}", "--")
"""As what serves pushes: a pack that is made to be slow to unpack takes no days, and no memory of the host."""
STRICT = "--strict=missingSpaceBeforeDate=ignore,zeroPaddedFilemode=ignore,badTimezone=ignore"
"""What the mirror's configuration asks of pushes."""
FROM_FILE = 'exec "$@" <"$0"'
"""For sh: a program with a file as its input."""


class PackRefused(DeployError):
    """What commands made of a clone cannot be taken."""

    code: ClassVar[str] = "pack-refused"


class BranchMoved(DeployError):
    """Somebody pushed to the branch meanwhile."""

    code: ClassVar[str] = "branch-moved"


async def clone_branch(mirror: Mirror, branch: str, destination: Path) -> CommitId:
    """Make a clone of one branch with its whole history, nothing checked out, and no remote. It shares no file with the
    mirror. Returns the commit that the branch is at."""
    await run(
        "git", "clone", "--quiet", "--no-local", "--no-tags", "--single-branch", "--no-checkout", "--template=",
        f"--branch={branch}", "--", f"file://{mirror.path}", str(destination),
        env=git_environment(), limit_seconds=CLONE_SECONDS,
    )
    await git(destination / ".git", "remote", "remove", "origin")
    return CommitId((await git(destination / ".git", "rev-parse", "--verify", "HEAD^{commit}")).text)


async def take_pack(mirror: Mirror, file: Path, wanted: CommitId) -> None:
    """Have a commit of a pack, and all that it needs, in the mirror. No branch is moved.

    Args:
        file: Root's alone.

    Raises:
        PackRefused: It is none, or has objects that no push may have, or lacks some.
    """
    room = Path(await asyncio.to_thread(tempfile.mkdtemp, prefix="source-", dir=mirror.path))
    apart = {"GIT_OBJECT_DIRECTORY": str(room), "GIT_ALTERNATE_OBJECT_DIRECTORIES": str(mirror.path / "objects")}
    try:
        await _index(mirror, file, apart)
        if await mirror.resolve(wanted, apart) != wanted:
            raise PackRefused("what the operation left has not the commit that it names", hint=HINT)
        await git(mirror.path, "rev-list", "--objects", "--quiet", wanted, "--not", "--all",
                  env=apart, limit_seconds=TAKE_SECONDS)
        await _index(mirror, file, {})
    except (ProgramFailed, ProgramOverran) as error:
        said = tuple(error.output.last_lines(5)) if isinstance(error, ProgramFailed) else ()
        raise PackRefused("git does not take what the operation committed", evidence=said, hint=HINT) from None
    finally:
        await asyncio.to_thread(shutil.rmtree, room)   # noqa: TID251  of our own, with what git wrote


async def _index(mirror: Mirror, file: Path, env: Mapping[str, str]) -> None:
    await run(
        "sh", "-c", FROM_FILE, str(file), *BOUNDED,
        *git_argv(mirror.path, "index-pack", "--stdin", "--fix-thin", STRICT),
        env=git_environment(env), limit_seconds=TAKE_SECONDS,
    )


async def move_branch(mirror: Mirror, branch: str, new: CommitId, old: CommitId) -> None:
    """Have a branch at a commit. At it already is fine.

    Raises:
        BranchMoved: It is at neither.
    """
    try:
        await git(mirror.path, "update-ref", f"refs/heads/{branch}", new, old)
    except ProgramFailed:
        if await mirror.tip(branch) != new:
            raise BranchMoved(
                f"{branch} is not at {old[:8]} any more: somebody pushed meanwhile, and nothing was changed",
                hint="run the operation again",
            ) from None


def commit_named(text: str) -> CommitId | None:
    """What somebody wrote, when it is a commit's whole id."""
    return CommitId(text) if OBJECT_ID.fullmatch(text) else None
