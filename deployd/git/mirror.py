"""The bare repository of a project: pushes land in it, fetches fill it, deployments read from it.

Everything is asked of git itself and nothing is kept here, so a mirror has no state that could be wrong.
"""

from __future__ import annotations

import asyncio
import hashlib
import os
import shutil
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar
from urllib.parse import urlsplit, urlunsplit

from deployd.errors import DeployError
from deployd.git.program import git
from deployd.ids import CommitId, TreeId

CONFIG = f"""\
[core]
    repositoryformatversion = 0
    bare = true
    logAllRefUpdates = true             ; a forced push can be found again
    useReplaceRefs = false              ; a commit is what its id says, and nothing that was put in its place
[receive]
    denyDeleteCurrent = ignore
    denyNonFastForwards = false
    advertisePushOptions = true
    maxInputSize = {2 * 1024**3}
    autoGc = false                      ; never in the middle of a push
[transfer]
    fsckObjects = true                  ; pushed or fetched
[receive "fsck"]                        ; old histories have these, and nothing is lost by them
    missingSpaceBeforeDate = ignore
    zeroPaddedFilemode = ignore
    badTimezone = ignore
[fetch "fsck"]                          ; and forges have more of that kind
    missingSpaceBeforeDate = ignore
    zeroPaddedFilemode = ignore
    badTimezone = ignore
    badDate = ignore
    badDateOverflow = ignore
    zeroPaddedDate = ignore
    badEmail = ignore
    missingEmail = ignore
    missingNameBeforeEmail = ignore
    missingSpaceBeforeEmail = ignore
    multipleAuthors = ignore
[gc]
    auto = 0
[uploadpack]
    allowFilter = true
    hideRefs = refs                     ; branches and tags are shown, and whatever else an older version took is not
    hideRefs = !refs/heads
    hideRefs = !refs/tags
[uploadpackfilter]                      ; the others can be made to cost much
    allow = false
[uploadpackfilter "blob:none"]
    allow = true
[uploadpackfilter "blob:limit"]
    allow = true
[uploadpackfilter "tree"]
    allow = true
[http]
    receivepack = true
"""


ABOUT = "%H%x00%cI%x00%T%x00%<(100,trunc)%an%x00%<(200,trunc)%s"
"""Cut by git: a subject can have as many megabytes as a commit may."""
MOST_LOOSE = 2000
"""Loose objects; with more, git looks for them noticeably longer."""
PACK_SECONDS = 1800
LARGEST_LISTING_BYTES, LARGEST_ENTRIES_BYTES = 128_000_000, 48_000_000
"""Of what is kept of git's listing of a tree, of which the end would be kept. What may be deployed has less."""


class ListingCut(DeployError):
    """A tree has more than is read of it."""

    code: ClassVar[str] = "listing-cut"


@dataclass(frozen=True, slots=True)
class CommitInfo:
    """What people want to read of a commit."""

    commit: CommitId
    subject: str
    author: str
    at: str
    """ISO 8601, with its own offset."""
    tree: TreeId
    """Of the whole repository."""


class Mirror:
    """A bare repository at a path."""

    def __init__(self, path: Path) -> None:
        self.path = path

    async def ensure(self, hooks: Path | None = None, default_branch: str = "main") -> None:
        """Make the repository when it is not there, and settle its settings.

        Args:
            hooks: Folder of the receive hooks.
            default_branch: What a clone stands on.
        """
        if not (self.path / "HEAD").exists():
            self.path.parent.mkdir(parents=True, exist_ok=True)
            new = Path(await asyncio.to_thread(tempfile.mkdtemp, prefix="new-", dir=self.path.parent))
            await git(new, "init", "--quiet", "--bare", f"--initial-branch={default_branch}", str(new))
            await asyncio.to_thread(_move_unless_there, new, self.path)
        if await asyncio.to_thread((self.path / "HEAD").read_text) != f"ref: refs/heads/{default_branch}\n":
            await git(self.path, "symbolic-ref", "HEAD", f"refs/heads/{default_branch}")
        await asyncio.to_thread(_write_whole, self.path / "config", _render_config(hooks))

    async def resolve(self, ref: str, env: Mapping[str, str] | None = None) -> CommitId | None:
        """The commit that an id, a whole ref or an abbreviation names; for a branch see `tip`."""
        found = await git(
            self.path, "rev-parse", "--verify", "--quiet", "--end-of-options", f"{ref}^{{commit}}",
            env=env, check=False,
        )
        return CommitId(found.text) if found.status == 0 else None

    async def commit_of_id(self, written: str) -> CommitId | None:
        """The commit that an id names, whole or its first characters: a tag may be called like one."""
        found = await self.resolve(written)
        return found if found is not None and found.startswith(written) else None

    async def tip(self, branch: str) -> CommitId | None:
        """The commit of a branch, and of nothing else that could be called like it: a tag `refs/heads/main` is none."""
        found = await git(self.path, "show-ref", "--verify", "--hash", f"refs/heads/{branch}", check=False)
        return CommitId(found.text) if found.status == 0 else None

    async def pack(self) -> None:
        """Pack what has gathered loose. Nothing is pruned: a version that was live stays, its branch forced or not."""
        loose = ("-c", f"gc.auto={MOST_LOOSE}", "-c", "gc.autoDetach=false")
        await git(self.path, *loose, "gc", "--auto", "--prune=never", "--quiet", limit_seconds=PACK_SECONDS)

    async def branches(self) -> dict[str, CommitId]:
        """{branch: commit}"""
        listed = await git(self.path, "for-each-ref", "--format=%(objectname) %(refname:lstrip=2)", "refs/heads")
        lines = listed.stdout.decode("utf-8", "surrogateescape").split("\n")   # `splitlines` knows more ends than git
        pairs = (line.split(" ", 1) for line in lines if line)
        return {name: CommitId(commit) for commit, name in pairs}

    async def about(self, commit: CommitId, env: Mapping[str, str] | None = None) -> CommitInfo:
        # not `git show`: even without a patch it compares the trees, and a tree can be made that has no end
        shown = await git(self.path, "log", "--no-walk", f"--format={ABOUT}", "--end-of-options", commit, "--", env=env)
        whole, at, tree, author, subject = shown.text.split("\0")
        return CommitInfo(CommitId(whole), subject.rstrip(), author.rstrip(), at, TreeId(tree))

    async def tree_id(self, commit: CommitId, root: str) -> TreeId:
        """Git's id of a folder at a commit; "" is the whole repository."""
        return TreeId((await git(self.path, "rev-parse", "--verify", f"{commit}:{root}")).text)

    async def listing_digest(self, commit: CommitId, root: str, without: frozenset[str]) -> str:
        """SHA-256 over all files of a folder but some, submodules' commits included. Same files, same digest.

        Args:
            without: Paths from the repository's root, files or whole folders (the configuration files).
        """
        listed = await git(self.path, "ls-tree", "-r", "-z", f"{commit}:{root}", keep_bytes=LARGEST_LISTING_BYTES)
        if len(listed.stdout) >= LARGEST_LISTING_BYTES:   # else the first files would have no part in it
            raise ListingCut(f"the files of {root or 'the repository'} have too long names to be listed",
                             hint=f"all paths together have {LARGEST_LISTING_BYTES:,} bytes at most")
        prefix = f"{root}/" if root else ""
        digest = hashlib.sha256()
        for entry in listed.stdout.split(b"\0"):
            path = prefix + entry.partition(b"\t")[2].decode("utf-8", "surrogateescape")
            if entry and not any(path == item or path.startswith(f"{item}/") for item in without):
                digest.update(entry + b"\0")
        return digest.hexdigest()

    async def entries(self, commit: CommitId, root: str, most: int) -> dict[str, str] | None:
        """{path below a folder: mode, kind and id of what is there}, of all files and submodules; None: too many, or
        too long ones."""
        listed = await git(self.path, "ls-tree", "-r", "-z", f"{commit}:{root}", keep_bytes=LARGEST_ENTRIES_BYTES)
        if listed.stdout.count(b"\0") > most or len(listed.stdout) >= LARGEST_ENTRIES_BYTES:   # git's last bytes only
            return None
        return await asyncio.to_thread(_entries, listed.stdout)

    async def changed_files(self, old: CommitId, new: CommitId, root: str) -> int | None:
        """How many files differ between two commits below a folder; None when the old one is not here any more."""
        shown = await git(
            self.path, "diff-tree", "-r", "-z", "--name-only", "--no-renames", "--end-of-options", old, new, "--",
            f":(literal){root}" if root else ".", check=False,
        )
        return shown.stdout.count(b"\0") if shown.status == 0 else None

    async def is_ancestor(self, older: CommitId, newer: CommitId, env: Mapping[str, str] | None = None) -> bool:
        """Whether one commit is contained in another.

        Args:
            env: Where what was pushed lies that git has not taken yet.
        """
        found = await git(self.path, "merge-base", "--is-ancestor", older, newer, env=env, check=False)
        return found.status == 0


def _entries(listing: bytes) -> dict[str, str]:
    pairs = (entry.partition(b"\t") for entry in listing.split(b"\0") if entry)
    return {path.decode("utf-8", "surrogateescape"): about.decode() for about, _, path in pairs}


def without_user(url: str) -> str:
    """An address as it may be shown: without a password."""
    parts = urlsplit(url)
    return urlunsplit(parts._replace(netloc=parts.netloc.rpartition("@")[2])) if parts.scheme else url


def _render_config(hooks: Path | None) -> str:
    path = str(hooks).replace("\\", "\\\\").replace('"', '\\"')
    return CONFIG + (f'[core]\n    hooksPath = "{path}"\n' if hooks else "")


def _write_whole(file: Path, text: str) -> None:
    """Written whole or not at all, by whoever is last: `git config` refuses while another one writes."""
    handle, name = tempfile.mkstemp(dir=file.parent, prefix=f"{file.name}-")
    with open(handle, "w", encoding="utf-8") as new:
        new.write(text)
    os.replace(name, file)


def _move_unless_there(new: Path, path: Path) -> None:
    """Two pushes may make the repository at the same moment: the second one finds it made."""
    try:
        new.rename(path)
    except OSError:
        shutil.rmtree(new)   # noqa: TID251  an empty repository of our own
        if not (path / "HEAD").exists():
            raise
