"""Workspaces: the files of a commit in a folder, submodules included."""

from __future__ import annotations

import asyncio
import shutil
import tempfile
from pathlib import Path

from deployd.confined.trees import remove_tree
from deployd.git.lfs import fill
from deployd.git.lfs_pointers import FILTER, LARGEST_LIST, LISTS, find_pointers
from deployd.git.listing import ListingTooLong, list_tree, size_of
from deployd.git.mirror import Mirror
from deployd.git.origin import Origin
from deployd.git.program import git
from deployd.git.submodule_list import submodules_of
from deployd.git.submodules import export_submodules
from deployd.ids import CommitId
from deployd.project.tree.limits import TreeLimits

EXPORT_SECONDS = 600


async def export(
    mirror: Mirror, commit: CommitId, root: str, destination: Path, limits: TreeLimits, origin: Origin | None = None,
) -> list[str]:
    """Write the files of a folder at a commit into an empty folder, modes and symbolic links kept.

    Returns:
        What people should know of them.

    Args:
        limits: Of the commit's own files; asked before git makes an index of them. Submodules have limits of their own.

    Raises:
        TreeTooLarge: There are more files than may be, or larger ones.
        SubmoduleMissing, SubmoduleRefused, SubmodulesTooLarge: See `export_submodules`.
        LfsMissing, Transient: See `fill`.
    """
    origin = origin or Origin()
    listing = await _list_within(mirror, commit, root, limits)
    await _export_files(mirror, commit, root, destination)
    if origin.lfs is not None:
        above = await _attributes_above(mirror, commit, root)
        pointers = await asyncio.to_thread(find_pointers, destination, listing, above)
        if pointers:
            await fill(pointers, destination, origin.lfs, origin.openings)
    submodules = await submodules_of(mirror, commit, root, listing, origin.base)
    return await export_submodules(mirror, submodules, root, destination, origin, _export_files) if submodules else []


async def _attributes_above(mirror: Mirror, commit: CommitId, root: str) -> bytes:
    """What the first `.gitattributes` says that lies above a folder, and so counts in it, and speaks of Git LFS.

    One at a time and up to a bound: one large file can stand in each of a hundred folders.
    """
    parts = root.split("/") if root else []
    for count in range(len(parts)):
        name = "/".join([*parts[:count], LISTS])
        said = (await git(
            mirror.path, "cat-file", "blob", f"{commit}:{name}", check=False, keep_bytes=LARGEST_LIST,
        )).stdout
        if FILTER in said:
            return said
    return b""


async def _list_within(mirror: Mirror, commit: CommitId, root: str, limits: TreeLimits) -> bytes:
    try:
        listing = await list_tree(mirror, commit, root, most_entries=limits.files)
    except ListingTooLong:
        raise limits.too_many_files() from None
    limits.refuse(listing.count(b"\0"), await asyncio.to_thread(size_of, listing))
    return listing


async def _export_files(mirror: Mirror, commit: CommitId, root: str, destination: Path) -> None:
    """All but submodules.

    `git archive` would be shorter, but it leaves out what `.gitattributes` marks export-ignore, and the hosted
    platforms deploy that too. So a throw-away index is filled and checked out.
    """
    await remove_tree(destination)   # of a build before: an application wrote into it
    await asyncio.to_thread(destination.mkdir, parents=True)
    folder = Path(await asyncio.to_thread(tempfile.mkdtemp, prefix="export-", dir=mirror.path))
    env = {"GIT_INDEX_FILE": str(folder / "index"), "GIT_WORK_TREE": str(destination)}
    try:
        await git(mirror.path, "read-tree", f"{commit}:{root}", env=env)
        await git(
            mirror.path, "-c", "checkout.workers=0", "checkout-index", "--all", "--force",
            f"--prefix={destination}/", env=env, limit_seconds=EXPORT_SECONDS,
        )
    finally:
        await asyncio.to_thread(shutil.rmtree, folder)   # noqa: TID251  of our own, with an index
