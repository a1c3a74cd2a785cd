"""Workspaces: the files of a commit in a folder, submodules included."""

from __future__ import annotations

import asyncio
import hashlib
import shutil
import tempfile
from pathlib import Path
from typing import ClassVar
from urllib.parse import urlsplit

from deployd.errors import DeployError, Transient
from deployd.git.listing import SUBMODULE, ListingTooLong, list_tree, size_of
from deployd.git.mirror import Mirror, without_user
from deployd.git.program import git
from deployd.git.remote import FetchFailed, fetch
from deployd.ids import CommitId
from deployd.project.tree_limits import TreeLimits

EXPORT_SECONDS = 600
MOST_SUBMODULES = 100
DEEPEST_SUBMODULE = 5


class SubmoduleMissing(DeployError):
    """A submodule's commit could not be had."""

    code: ClassVar[str] = "submodule-missing"


async def export(
    mirror: Mirror, commit: CommitId, root: str, destination: Path, limits: TreeLimits, *, depth: int = 0,
) -> TreeLimits:
    """Write the files of a folder at a commit into an empty folder, modes and symbolic links kept.

    `git archive` would be shorter, but it leaves out what `.gitattributes` marks export-ignore, and the hosted
    platforms deploy that too. So a throw-away index is filled and checked out.

    Args:
        limits: Of all files together, submodules included; asked before git makes an index of them.
        depth: How many submodules this one lies in.

    Returns:
        What is left of the limits.

    Raises:
        SubmoduleMissing: A submodule has no HTTPS address, or its commit cannot be fetched.
        TreeTooLarge: There are more files than may be, or larger ones.
    """
    listing = await _list_within(mirror, commit, root, limits)
    files, size_bytes = listing.count(b"\0"), await asyncio.to_thread(size_of, listing)
    limits.refuse(files, size_bytes)
    await asyncio.to_thread(_make_empty, destination)
    folder = Path(await asyncio.to_thread(tempfile.mkdtemp, prefix="export-", dir=mirror.path))
    env = {"GIT_INDEX_FILE": str(folder / "index"), "GIT_WORK_TREE": str(destination)}
    try:
        await git(mirror.path, "read-tree", f"{commit}:{root}", env=env)
        await git(
            mirror.path, "-c", "checkout.workers=0", "checkout-index", "--all", "--force",
            f"--prefix={destination}/", env=env, limit_seconds=EXPORT_SECONDS,
        )
    finally:
        await asyncio.to_thread(shutil.rmtree, folder)
    left = TreeLimits(limits.files - files, limits.size_bytes - size_bytes)
    links = [entry for entry in listing.split(b"\0") if entry.startswith(SUBMODULE)] if SUBMODULE in listing else []
    return await _export_submodules(mirror, commit, root, destination, links, left, depth)


async def _list_within(mirror: Mirror, commit: CommitId, root: str, limits: TreeLimits) -> bytes:
    try:
        return await list_tree(mirror, commit, root, most_entries=limits.files)
    except ListingTooLong:
        raise limits.too_many_files() from None


async def _export_submodules(
    mirror: Mirror, commit: CommitId, root: str, destination: Path, links: list[bytes], left: TreeLimits, depth: int,
) -> TreeLimits:
    if not links:
        return left
    if len(links) > MOST_SUBMODULES or depth >= DEEPEST_SUBMODULE:
        raise SubmoduleMissing(
            f"there are more than {MOST_SUBMODULES} submodules, or more than {DEEPEST_SUBMODULE} in one another",
            where=".gitmodules", mend="take the code of some of them into the repository",
        )
    urls = await _submodule_urls(mirror, commit)
    for entry in links:
        meta, _, name = entry.decode("utf-8", "surrogateescape").partition("\t")
        whole = f"{root}/{name}" if root else name
        wanted = CommitId(meta.split()[2])
        module = await _module(mirror, whole, wanted, urls.get(whole, ""))
        left = await export(module, wanted, "", destination / name, left, depth=depth + 1)
    return left


async def _module(mirror: Mirror, path: str, wanted: CommitId, url: str) -> Mirror:
    """A mirror of a submodule, with the wanted commit in it."""
    if urlsplit(url).scheme != "https":
        raise SubmoduleMissing(
            f"the submodule {path} has the address {without_user(url) or '(none)'};"
            " only https:// addresses can be fetched",
            where=".gitmodules", mend=f"change the url of {path} in .gitmodules",
        )
    folder = mirror.path.with_name(f"{mirror.path.stem}.modules")
    module = Mirror(folder / hashlib.sha256(url.encode()).hexdigest())
    await module.ensure()
    for only in (None, wanted):   # a commit that no branch holds any more may still be had by its name
        if await module.resolve(wanted) is not None:
            break
        try:
            await fetch(module, url, wanted=only)
        except FetchFailed as error:
            raise _submodule_missing(path, wanted, error) from None
        except Transient as error:
            if only is None:
                raise Transient(_submodule_missing(path, wanted, error.error), error.again_in_seconds) from None
    if await module.resolve(wanted) is None:
        raise SubmoduleMissing(
            f"the submodule {path} wants the commit {wanted}, which {without_user(url)} does not have",
            where=".gitmodules", mend="push that commit to the submodule's repository",
        )
    return module


async def _submodule_urls(mirror: Mirror, commit: CommitId) -> dict[str, str]:
    """{path: url} of .gitmodules at the commit."""
    shown = await git(
        mirror.path, "config", "-z", "--blob", f"{commit}:.gitmodules", "--get-regexp",
        r"^submodule\..*\.(path|url)$", check=False,
    )
    entries = shown.stdout.decode("utf-8", "surrogateescape").split("\0")
    values = dict(entry.split("\n", 1) for entry in entries if "\n" in entry)
    return {
        path: values.get(key.removesuffix(".path") + ".url", "")
        for key, path in values.items() if key.endswith(".path")
    }


def _submodule_missing(path: str, wanted: CommitId, error: DeployError) -> SubmoduleMissing:
    return SubmoduleMissing(
        f"the submodule {path} at {wanted[:8]} cannot be had: {error.what}", where=".gitmodules",
        evidence=error.evidence, mend="see whether its address can be read without a password",
    )


def _make_empty(folder: Path) -> None:
    if folder.exists():
        shutil.rmtree(folder)
    folder.mkdir(parents=True)
