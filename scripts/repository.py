"""Git repositories of a sample project, as a developer would make them."""

from __future__ import annotations

from pathlib import Path

from deployd.process import run
from scripts.git_push import git_environment


async def make_repository(folder: Path, *sources: Path, message: str = "First version") -> None:
    """A git repository with the files of `sources` (later ones over earlier ones) in one commit on `main`."""
    folder.mkdir(parents=True)
    await run("git", "init", "--quiet", "--initial-branch=main", cwd=folder, env=git_environment())
    for source in sources:
        await copy_into(folder, source)
    await commit(folder, message)


async def copy_into(folder: Path, source: Path) -> None:
    """Lay the files of a folder over a working tree."""
    await run("cp", "--recursive", "--no-target-directory", str(source), str(folder))


async def commit(folder: Path, message: str, *, allow_empty: bool = False) -> str:
    """Commit all changes. Returns the commit's id."""
    await run("git", "add", "--all", cwd=folder, env=git_environment())
    empty = ("--allow-empty",) if allow_empty else ()
    await run("git", "commit", "--quiet", *empty, "--message", message, cwd=folder, env=git_environment())
    return (await run("git", "rev-parse", "HEAD", cwd=folder, env=git_environment())).text
