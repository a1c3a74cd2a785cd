"""Submodules: what `.gitmodules` names, fetched from public addresses only, into the workspace.

Everything in it is a stranger's word: names, paths and addresses; and the repositories behind them may answer each time
with another one that has submodules of its own. So all of one workspace together have a limit: in number, in depth, in
bytes over the wire, in files and in time.
"""

from __future__ import annotations

import asyncio
import hashlib
import math
import os
import stat
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import ClassVar

from deployd.confined.trees import remove_tree
from deployd.errors import DeployError, Transient
from deployd.git.lfs_pointers import find_pointers
from deployd.git.mirror import Mirror, without_user
from deployd.git.origin import Origin
from deployd.git.program import git
from deployd.git.proxy import FetchProxy, open_fetch_proxy
from deployd.git.remote import FETCH_SECONDS, FetchFailed, fetch
from deployd.git.submodule_list import (
    FILE,
    LIST_SECONDS,
    Submodule,
    SubmoduleMissing,
    read_submodules,
    refuse_unusable,
    shown,
)
from deployd.ids import CommitId
from deployd.process import ProgramOverran
from deployd.units import MEGABYTE

MOST, DEEPEST = 100, 5
MOST_RECEIVED_BYTES = 1024**3
MOST_FILES, MOST_BYTES = 200_000, 4 * 1024**3
ALL_SECONDS = 1200.0

ExportFiles = Callable[[Mirror, CommitId, str, Path], Awaitable[None]]


class SubmoduleRefused(DeployError):
    """A submodule leads where nobody may go, or lies where nothing may be written."""

    code: ClassVar[str] = "submodule-refused"


class SubmodulesTooLarge(DeployError):
    """The submodules of a commit are too many or too large."""

    code: ClassVar[str] = "submodules-too-large"


@dataclass
class Submodules:
    """The submodules of one commit, those of submodules included."""

    folder: Path
    """Where their mirrors lie."""
    proxy: FetchProxy
    ends_at: float = math.inf
    """Loop time after which nothing is fetched."""
    count: int = 0
    files: int = 0
    size_bytes: int = 0
    notes: list[str] = field(default_factory=list)
    """What people should know of what was exported."""

    async def export(
        self, found: tuple[Submodule, ...], root: str, destination: Path, export_files: ExportFiles, depth: int = 0,
    ) -> None:
        """Write submodules into a workspace of the folder `root`, each where it belongs."""
        self.add(found, depth)
        for submodule in found:
            place = await asyncio.to_thread(_place, destination, submodule, root)
            module = await self.mirror_of(submodule)
            listing = await self.measure(module, submodule)
            await export_files(module, submodule.commit, "", place)
            pointers = await asyncio.to_thread(find_pointers, place, listing)
            if pointers:
                self.notes.append(
                    f"{submodule.shown}/{shown(pointers[0].path)}"
                    + (f" and {len(pointers) - 1:,} more" if len(pointers) > 1 else "")
                    + " of a submodule: Git LFS keeps the content, and the build gets the pointer"
                )
            inner = await read_submodules(module, submodule.commit, submodule.url)
            await self.export(inner, "", place, export_files, depth + 1)

    def add(self, found: tuple[Submodule, ...], depth: int) -> None:
        """
        Raises:
            SubmodulesTooLarge: With these there are too many, or they lie too deep in each other.
        """
        self.count += len(found)
        if self.count > MOST:
            raise SubmodulesTooLarge(
                f"there are more than {MOST} submodules, those of submodules included", where=FILE,
                hint="put what belongs together into one repository, or let the build fetch it with a package manager",
            )
        if found and depth == DEEPEST:
            raise SubmodulesTooLarge(
                f"submodules have submodules, deeper than {DEEPEST}", where=found[0].where,
                hint="name the deeper ones in the repository itself",
            )

    async def mirror_of(self, wanted: Submodule) -> Mirror:
        """A mirror of a submodule, with the wanted commit in it.

        Raises:
            SubmoduleMissing, SubmoduleRefused, SubmodulesTooLarge: It cannot be had.
            Transient: Not now.
        """
        refuse_unusable(wanted)
        module = Mirror(self.folder / hashlib.sha256(wanted.url.encode()).hexdigest())
        await module.ensure()
        for only in (None, wanted.commit):   # a commit that no branch holds any more may still be had by its name
            if await module.resolve(wanted.commit) is not None:
                break
            try:
                await self._fetch(module, wanted, only)
            except FetchFailed as error:
                raise _missing(wanted, error) from None
            except Transient as error:
                if only is None:
                    raise Transient(_missing(wanted, error.error), error.again_in_seconds) from None
        if await module.resolve(wanted.commit) is None:
            raise SubmoduleMissing(
                f"the submodule {wanted.shown} wants the commit {wanted.commit},"
                f" which {without_user(wanted.url)} does not have",
                where=wanted.where, hint="push that commit to the submodule's repository",
            )
        return module

    async def _fetch(self, module: Mirror, wanted: Submodule, only: CommitId | None) -> None:
        refused = len(self.proxy.refused)
        seconds = max(1.0, min(FETCH_SECONDS, self.ends_at - asyncio.get_running_loop().time()))
        try:
            await fetch(module, wanted.url, wanted=only, proxy=self.proxy, limit_seconds=seconds)
        except (FetchFailed, Transient):
            if self.proxy.is_over:
                await remove_tree(module.path)
                raise SubmodulesTooLarge(
                    f"the submodules are larger than {MOST_RECEIVED_BYTES // MEGABYTE} MB; the last one was"
                    f" {wanted.shown}", where=wanted.where,
                    hint="keep large files elsewhere, or rewrite the submodule's history without them",
                ) from None
            await asyncio.to_thread(_remove_unfinished, module.path)
            if len(self.proxy.refused) > refused:
                raise SubmoduleRefused(
                    f"the submodule {wanted.shown} leads to {self.proxy.refused[-1]}, which is not a public address",
                    where=wanted.where,
                    hint="name a public address; the operator can open others with `containers.may_reach`",
                ) from None
            raise

    async def measure(self, module: Mirror, wanted: Submodule) -> bytes:
        """Look how much would be written, before it is: a tree can name a file many times. Returns its listing."""
        try:
            listed = await git(module.path, "ls-tree", "-r", "-l", "-z", wanted.commit, limit_seconds=LIST_SECONDS)
            sizes = [line.split(None, 4)[3] for line in listed.stdout.split(b"\0") if line]
            too_large = len(listed.stdout) > MOST_FILES * 1000
        except (ProgramOverran, IndexError):   # more than can be listed, or more than is kept of a list
            listed, sizes, too_large = None, [], True
        self.files += len(sizes)
        self.size_bytes += sum(int(size) for size in sizes if size.isdigit())
        if listed is None or too_large or self.files > MOST_FILES or self.size_bytes > MOST_BYTES:
            raise SubmodulesTooLarge(
                f"the submodules have more than {MOST_FILES:,} files or {MOST_BYTES // 1024**3} GiB;"
                f" the last one was {wanted.shown}", where=wanted.where, hint="take what is not needed out of them",
            )
        return listed.stdout


async def export_submodules(
    mirror: Mirror, found: tuple[Submodule, ...], root: str, destination: Path, origin: Origin,
    export_files: ExportFiles,
) -> list[str]:
    """Write submodules below a folder of a commit into a workspace. Returns what people should know of them.

    Raises:
        SubmoduleMissing: A submodule has no HTTPS address, or its commit cannot be fetched.
        SubmoduleRefused: One leads to an address that is not public, or its path leads out of the workspace.
        SubmodulesTooLarge: There is too much of them.
    """
    try:
        async with asyncio.timeout(ALL_SECONDS), open_fetch_proxy(origin.openings, MOST_RECEIVED_BYTES) as proxy:
            submodules = Submodules(modules_of(mirror), proxy)
            await submodules.export(found, root, destination, export_files)
            return submodules.notes
    except TimeoutError:
        raise SubmodulesTooLarge(
            f"fetching the submodules took longer than {ALL_SECONDS / 60:.0f} minutes", where=FILE,
            hint="see whether their servers are well, and push again: what was fetched is kept",
        ) from None


def modules_of(mirror: Mirror) -> Path:
    """Where the mirrors of a repository's submodules lie."""
    return mirror.path.with_name(f"{mirror.path.stem}.modules")


def _place(destination: Path, submodule: Submodule, root: str) -> Path:
    """The folder of a submodule in a workspace, whose way there is made of real folders only.

    git makes no such trees, but a tree can be made without git.

    Raises:
        SubmoduleRefused: It would lie elsewhere.
    """
    parts = (submodule.path.removeprefix(f"{root}/") if root else submodule.path).split("/")
    place = destination
    for part in parts:
        place = place / part
        if part in ("", ".", "..") or part.lower() == ".git" or not _is_folder_or_free(place):
            raise SubmoduleRefused(
                f"the submodule {submodule.shown} does not lie in a folder of its own", where=submodule.where,
                hint="move it, and take away what is in its way",
            )
    return place


def _is_folder_or_free(place: Path) -> bool:
    try:
        return stat.S_ISDIR(os.lstat(place).st_mode)
    except FileNotFoundError:
        return True


def _remove_unfinished(module: Path) -> None:
    """What a fetch that was cut off had received so far; each would stay for ever."""
    for file in (module / "objects/pack").glob("tmp_*"):
        file.unlink(missing_ok=True)


def _missing(wanted: Submodule, error: DeployError) -> SubmoduleMissing:
    return SubmoduleMissing(
        f"the submodule {wanted.shown} at {wanted.commit[:8]} cannot be had: {error.what}", where=wanted.where,
        evidence=error.evidence, hint="see whether its address can be read without a password",
    )
