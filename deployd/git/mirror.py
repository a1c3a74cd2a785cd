"""The bare repository of a project: pushes land in it, fetches fill it, deployments read from it.

Everything is asked of git itself and nothing is kept here, so a mirror has no state that could be wrong.
"""

from __future__ import annotations

import asyncio
import base64
import hashlib
import shutil
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar
from urllib.parse import urlsplit, urlunsplit

from deployd.errors import DeployError, Transient
from deployd.git.program import git
from deployd.ids import CommitId, TreeId
from deployd.process import ProgramFailed, ProgramOverran

FETCH_SECONDS = 300
FETCH_AGAIN_SECONDS = 10.0
SETTINGS = {
    "receive.denyDeleteCurrent": "ignore",
    "receive.denyNonFastForwards": "false",
    "receive.advertisePushOptions": "true",
    "receive.fsckObjects": "true",
    "receive.fsck.missingSpaceBeforeDate": "ignore",     # old histories have these, and nothing is lost by them
    "receive.fsck.zeroPaddedFilemode": "ignore",
    "receive.fsck.badTimezone": "ignore",
    "receive.maxInputSize": str(2 * 1024**3),
    "core.logAllRefUpdates": "true",                     # a forced push can be found again
    "gc.auto": "0",                                      # never in the middle of a push
    "uploadpack.allowFilter": "true",
    "http.receivepack": "true",
}


class FetchFailed(DeployError):
    """The remote repository could not be fetched."""

    code: ClassVar[str] = "fetch-failed"


class SubmoduleMissing(DeployError):
    """A submodule's commit could not be had."""

    code: ClassVar[str] = "submodule-missing"


@dataclass(frozen=True, slots=True)
class CommitInfo:
    """What people want to read of a commit."""

    commit: CommitId
    subject: str
    author: str
    at: str
    """ISO 8601, with its own offset."""


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
            await git(self.path, "init", "--quiet", "--bare", str(self.path))
        await git(self.path, "symbolic-ref", "HEAD", f"refs/heads/{default_branch}")
        settings = {**SETTINGS, **({"core.hooksPath": str(hooks)} if hooks else {})}
        for name, value in settings.items():
            await git(self.path, "config", name, value)

    async def fetch(self, url: str, *, token: str | None = None) -> None:
        """Fetch all branches and tags of a remote; branches that are gone there go here too.

        Args:
            token: Password for HTTPS; it travels in the environment, never in an argument or a log.

        Raises:
            Transient: The remote could not be reached or did not answer; worth another try.
        """
        secret = {}
        if token:
            basic = base64.b64encode(f"x-access-token:{token}".encode()).decode()
            secret = {
                "GIT_CONFIG_COUNT": "1", "GIT_CONFIG_KEY_0": f"http.{without_user(url)}.extraHeader",
                "GIT_CONFIG_VALUE_0": f"Authorization: Basic {basic}",
            }
        slow = {"GIT_HTTP_LOW_SPEED_LIMIT": "1000", "GIT_HTTP_LOW_SPEED_TIME": "30"}
        try:
            await git(
                self.path, "fetch", "--quiet", "--prune", "--force", "--no-write-fetch-head", "--end-of-options", url,
                "+refs/heads/*:refs/heads/*", "+refs/tags/*:refs/tags/*", env={**secret, **slow},
                limit_seconds=FETCH_SECONDS,
            )
        except ProgramFailed as error:
            raise Transient(FetchFailed(
                f"cannot fetch {without_user(url)}", evidence=error.output.last_lines(5),
                mend="see whether the address and the token of the project's remote are right",
            ), FETCH_AGAIN_SECONDS) from None
        except ProgramOverran:
            raise Transient(FetchFailed(
                f"{without_user(url)} did not answer within {FETCH_SECONDS} s", mend="see whether the remote is up",
            ), FETCH_AGAIN_SECONDS) from None

    async def resolve(self, ref: str, env: Mapping[str, str] | None = None) -> CommitId | None:
        """The commit that a branch, tag or abbreviation names."""
        found = await git(
            self.path, "rev-parse", "--verify", "--quiet", "--end-of-options", f"{ref}^{{commit}}",
            env=env, check=False,
        )
        return CommitId(found.text) if found.status == 0 else None

    async def branches(self) -> dict[str, CommitId]:
        """{branch: commit}"""
        listed = await git(self.path, "for-each-ref", "--format=%(objectname) %(refname:lstrip=2)", "refs/heads")
        pairs = (line.split(" ", 1) for line in listed.text.splitlines())
        return {name: CommitId(commit) for commit, name in pairs}

    async def about(self, commit: CommitId, env: Mapping[str, str] | None = None) -> CommitInfo:
        shown = await git(self.path, "show", "--no-patch", "--format=%H%x00%s%x00%an%x00%cI", commit, env=env)
        whole, subject, author, at = shown.text.split("\0")
        return CommitInfo(CommitId(whole), subject, author, at)

    async def tree_id(self, commit: CommitId, root: str) -> TreeId:
        """Git's id of a folder at a commit; "" is the whole repository."""
        return TreeId((await git(self.path, "rev-parse", "--verify", f"{commit}:{root}")).text)

    async def listing_digest(self, commit: CommitId, root: str, without: frozenset[str]) -> str:
        """SHA-256 over all files of a folder but some, submodules' commits included. Same files, same digest.

        Args:
            without: Paths from the repository's root, files or whole folders (the configuration files).
        """
        listed = await git(self.path, "ls-tree", "-r", "-z", f"{commit}:{root}")
        prefix = f"{root}/" if root else ""
        digest = hashlib.sha256()
        for entry in listed.stdout.split(b"\0"):
            path = prefix + entry.partition(b"\t")[2].decode("utf-8", "surrogateescape")
            if entry and not any(path == item or path.startswith(f"{item}/") for item in without):
                digest.update(entry + b"\0")
        return digest.hexdigest()

    async def changed_files(self, old: CommitId, new: CommitId, root: str) -> int | None:
        """How many files differ between two commits below a folder; None when the old one is not here any more."""
        shown = await git(
            self.path, "diff-tree", "-r", "-z", "--name-only", "--no-renames", "--end-of-options", old, new, "--",
            root or ".", check=False,
        )
        return shown.stdout.count(b"\0") if shown.status == 0 else None

    async def is_ancestor(self, older: CommitId, newer: CommitId) -> bool:
        """Whether one commit is contained in another."""
        return (await git(self.path, "merge-base", "--is-ancestor", older, newer, check=False)).status == 0

    async def export(self, commit: CommitId, root: str, destination: Path) -> None:
        """Write the files of a folder at a commit into an empty folder, modes and symbolic links kept.

        `git archive` would be shorter, but it leaves out what `.gitattributes` marks export-ignore, and the hosted
        platforms deploy that too. So a throw-away index is filled and checked out.

        Raises:
            SubmoduleMissing: A submodule has no HTTPS address, or its commit cannot be fetched.
        """
        await asyncio.to_thread(_make_empty, destination)
        index = destination.with_name(destination.name + ".index")
        env = {"GIT_INDEX_FILE": str(index), "GIT_WORK_TREE": str(destination)}
        await git(self.path, "read-tree", f"{commit}:{root}", env=env)
        await git(
            self.path, "checkout-index", "--all", "--force", f"--prefix={destination}/", env=env, limit_seconds=600,
        )
        await asyncio.to_thread(index.unlink, missing_ok=True)
        await self._export_submodules(commit, root, destination)

    async def _export_submodules(self, commit: CommitId, root: str, destination: Path) -> None:
        listed = await git(self.path, "ls-tree", "-r", "-z", f"{commit}:{root}")
        links = [entry for entry in listed.stdout.decode().split("\0") if entry.startswith("160000 ")]
        if not links:
            return
        urls = await self._submodule_urls(commit)
        for entry in links:
            meta, path = entry.split("\t", 1)
            wanted = CommitId(meta.split()[2])
            whole = f"{root}/{path}" if root else path
            url = urls.get(whole, "")
            if urlsplit(url).scheme != "https":
                raise SubmoduleMissing(
                    f"the submodule {whole} has the address {url or '(none)'}; only https:// addresses can be fetched",
                    where=".gitmodules", mend=f"change the url of {whole} in .gitmodules",
                )
            module = Mirror(self.path.with_name(f"{self.path.stem}.modules") / hashlib.sha256(url.encode()).hexdigest())
            await module.ensure()
            if await module.resolve(wanted) is None:
                await module.fetch(url)
            if await module.resolve(wanted) is None:
                raise SubmoduleMissing(
                    f"the submodule {whole} wants the commit {wanted}, which {without_user(url)} does not have",
                    where=".gitmodules", mend="push that commit to the submodule's repository",
                )
            await module.export(wanted, "", destination / path)

    async def _submodule_urls(self, commit: CommitId) -> dict[str, str]:
        """{path: url} of .gitmodules at the commit."""
        shown = await git(
            self.path, "config", "--blob", f"{commit}:.gitmodules", "--get-regexp", r"^submodule\..*\.(path|url)$",
            check=False,
        )
        values = dict(line.split(" ", 1) for line in shown.text.splitlines() if " " in line)
        return {
            path: values.get(key.removesuffix(".path") + ".url", "")
            for key, path in values.items() if key.endswith(".path")
        }


def _make_empty(folder: Path) -> None:
    if folder.exists():
        shutil.rmtree(folder)
    folder.mkdir(parents=True)


def without_user(url: str) -> str:
    """An address as it may be shown: without a password."""
    parts = urlsplit(url)
    return urlunsplit(parts._replace(netloc=parts.netloc.rpartition("@")[2])) if parts.scheme else url
