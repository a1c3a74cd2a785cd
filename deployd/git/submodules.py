"""Submodules: what `.gitmodules` names, fetched from public addresses only, into the workspace.

Everything in it is a stranger's word: names, paths and addresses; and the repositories behind them may answer each time
with another one that has submodules of its own. So all of one workspace together have a limit: in number, in depth, in
bytes over the wire, in files and in time.
"""

from __future__ import annotations

import asyncio
import hashlib
import os
import re
import stat
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar
from urllib.parse import urlsplit

from deployd.confined.trees import remove_tree
from deployd.errors import DeployError, Transient
from deployd.git.gate import Gate, open_gate
from deployd.git.mirror import Mirror, without_user
from deployd.git.program import git
from deployd.git.remote import FETCH_SECONDS, FetchFailed, fetch
from deployd.ids import CommitId
from deployd.process import ProgramOverran
from deployd.reach import Opening
from deployd.units import MEGABYTE

MOST, DEEPEST = 100, 5
MOST_RECEIVED_BYTES = 1024**3
MOST_FILES, MOST_BYTES = 200_000, 4 * 1024**3
ALL_SECONDS = 1200.0
LIST_SECONDS = 30.0
LONGEST_LIST_BYTES = 1024**2
"""Of a .gitmodules; a hundred submodules take 20 kB."""
FILE = ".gitmodules"
GITLINK = b"160000 "
NO_ADDRESS = re.compile(r"[^\x21-\x7e]")
"""Characters that no address has; git would take some of them for the end of one."""

ExportFiles = Callable[[Mirror, CommitId, str, Path], Awaitable[None]]


class SubmoduleMissing(DeployError):
    """A submodule's commit could not be had."""

    code: ClassVar[str] = "submodule-missing"


class SubmoduleRefused(DeployError):
    """A submodule leads where nobody may go, or lies where nothing may be written."""

    code: ClassVar[str] = "submodule-refused"


class SubmodulesTooLarge(DeployError):
    """The submodules of a commit are too many or too large."""

    code: ClassVar[str] = "submodules-too-large"


@dataclass(frozen=True, slots=True)
class Submodule:
    """One that a commit has, as it is found in its tree and in its .gitmodules."""

    path: str
    """From the repository's root."""
    commit: CommitId
    url: str
    where: str
    """`.gitmodules:3`"""

    @property
    def shown(self) -> str:
        return shown(self.path)


@dataclass
class Submodules:
    """The submodules of one workspace, those of submodules included."""

    folder: Path
    """Where their mirrors lie."""
    gate: Gate
    export_files: ExportFiles
    count: int = 0
    files: int = 0
    size_bytes: int = 0

    async def export(self, found: tuple[Submodule, ...], root: str, destination: Path, depth: int = 0) -> None:
        """Write submodules into a workspace of the folder `root`, each where it belongs."""
        self.count += len(found)
        if self.count > MOST:
            raise SubmodulesTooLarge(
                f"there are more than {MOST} submodules, those of submodules included", where=FILE,
                mend="put what belongs together into one repository, or let the build fetch it with a package manager",
            )
        if found and depth == DEEPEST:
            raise SubmodulesTooLarge(
                f"submodules have submodules, deeper than {DEEPEST}", where=found[0].where,
                mend="name the deeper ones in the repository itself",
            )
        for submodule in found:
            place = await asyncio.to_thread(_place, destination, submodule, root)
            module = await self._mirror(submodule)
            await self._measure(module, submodule)
            await self.export_files(module, submodule.commit, "", place)
            await self.export(await read_submodules(module, submodule.commit, ""), "", place, depth + 1)

    async def _mirror(self, wanted: Submodule) -> Mirror:
        """A mirror of a submodule, with the wanted commit in it."""
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
                where=wanted.where, mend="push that commit to the submodule's repository",
            )
        return module

    async def _fetch(self, module: Mirror, wanted: Submodule, only: CommitId | None) -> None:
        refused = len(self.gate.refused)
        try:
            await fetch(module, wanted.url, wanted=only, gate=self.gate, limit_seconds=FETCH_SECONDS)
        except (FetchFailed, Transient):
            if self.gate.is_over:
                await remove_tree(module.path)
                raise SubmodulesTooLarge(
                    f"the submodules are larger than {MOST_RECEIVED_BYTES // MEGABYTE} MB; the last one was"
                    f" {wanted.shown}", where=wanted.where,
                    mend="keep large files elsewhere, or rewrite the submodule's history without them",
                ) from None
            await asyncio.to_thread(_remove_unfinished, module.path)
            if len(self.gate.refused) > refused:
                raise SubmoduleRefused(
                    f"the submodule {wanted.shown} leads to {self.gate.refused[-1]}, which is not a public address",
                    where=wanted.where,
                    mend="name a public address; the operator can open others with `containers.may_reach`",
                ) from None
            raise

    async def _measure(self, module: Mirror, wanted: Submodule) -> None:
        """Look how much would be written, before it is: a tree can name a file many times."""
        try:
            listed = await git(module.path, "ls-tree", "-r", "-l", "-z", wanted.commit, limit_seconds=LIST_SECONDS)
            sizes = [line.split(None, 4)[3] for line in listed.stdout.split(b"\0") if line]
            too_large = len(listed.stdout) > MOST_FILES * 1000
        except (ProgramOverran, IndexError):   # more than can be listed, or more than is kept of a list
            sizes, too_large = [], True
        self.files += len(sizes)
        self.size_bytes += sum(int(size) for size in sizes if size.isdigit())
        if too_large or self.files > MOST_FILES or self.size_bytes > MOST_BYTES:
            raise SubmodulesTooLarge(
                f"the submodules have more than {MOST_FILES:,} files or {MOST_BYTES // 1024**3} GiB;"
                f" the last one was {wanted.shown}", where=wanted.where, mend="take what is not needed out of them",
            )


async def export_submodules(
    mirror: Mirror, commit: CommitId, root: str, listing: bytes, destination: Path, openings: tuple[Opening, ...],
    export_files: ExportFiles,
) -> None:
    """Write what a commit has of submodules below a folder into a workspace.

    Args:
        listing: Of the commit's files below that folder; see `list_tree`.
        openings: Addresses that are not public and may be fetched from nevertheless.

    Raises:
        SubmoduleMissing: A submodule has no HTTPS address, or its commit cannot be fetched.
        SubmoduleRefused: One leads to an address that is not public, or its path leads out of the workspace.
        SubmodulesTooLarge: There is too much of them.
    """
    found = await _submodules_of(mirror, commit, root, listing)
    if not found:
        return
    folder = mirror.path.with_name(f"{mirror.path.stem}.modules")
    try:
        async with asyncio.timeout(ALL_SECONDS), open_gate(openings, MOST_RECEIVED_BYTES) as gate:
            await Submodules(folder, gate, export_files).export(found, root, destination)
    except TimeoutError:
        raise SubmodulesTooLarge(
            f"fetching the submodules took longer than {ALL_SECONDS / 60:.0f} minutes", where=FILE,
            mend="see whether their servers are well, and push again: what was fetched is kept",
        ) from None


async def read_submodules(mirror: Mirror, commit: CommitId, root: str) -> tuple[Submodule, ...]:
    """Submodules of a commit below a folder, in the order of its tree."""
    listed = await git(mirror.path, "ls-tree", "-r", "-z", f"{commit}:{root}")
    return await _submodules_of(mirror, commit, root, listed.stdout)


async def _submodules_of(mirror: Mirror, commit: CommitId, root: str, listing: bytes) -> tuple[Submodule, ...]:
    if GITLINK not in listing:   # as nearly always: no need to take it apart
        return ()
    links = [entry for entry in listing.split(b"\0") if entry.startswith(GITLINK)]
    if not links:
        return ()
    urls, text = await _read_list(mirror, commit)
    found = []
    for entry in links:
        meta, _, name = entry.decode("utf-8", "surrogateescape").partition("\t")
        path = f"{root}/{name}" if root else name
        url = urls.get(path, "")
        found.append(Submodule(path, CommitId(meta.split()[2]), url, _where(text, url or path)))
    return tuple(found)


def refuse_unusable(wanted: Submodule) -> None:
    """
    Raises:
        SubmoduleMissing: Its address is none, or of a kind that is not fetched.
    """
    try:
        parts = urlsplit(wanted.url)
        usable = parts.scheme == "https" and bool(parts.hostname) and (parts.port is None or parts.port > 0)
    except ValueError:
        usable = False
    if not usable or NO_ADDRESS.search(wanted.url):
        raise SubmoduleMissing(
            f"the submodule {wanted.shown} has the address {shown(wanted.url) or '(none)'};"
            " only https:// addresses can be fetched",
            where=wanted.where, mend=f"change the url of {wanted.shown} in {FILE}",
        )


def shown(text: str) -> str:
    """A stranger's text as people may read it: without its password, in one line, no longer than they read."""
    try:
        text = without_user(text)
    except ValueError:   # it begins like an address and is none
        text = text.rpartition("@")[2]
    plain = "".join(letter if letter.isprintable() else "\N{REPLACEMENT CHARACTER}" for letter in text)
    return plain if len(plain) <= 200 else f"{plain[:200]} […]"


async def _read_list(mirror: Mirror, commit: CommitId) -> tuple[dict[str, str], str]:
    """({path: url} of .gitmodules at the commit, its text); nothing when there is none that can be read."""
    name = f"{commit}:{FILE}"
    size = await git(mirror.path, "cat-file", "-s", name, check=False)
    if size.status != 0 or int(size.text) > LONGEST_LIST_BYTES:
        return {}, ""
    shown_list = await git(
        mirror.path, "config", "-z", "--no-includes", "--blob", name, "--get-regexp",
        r"^submodule\..*\.(path|url)$", check=False,
    )
    text = await git(mirror.path, "cat-file", "blob", name, check=False)
    entries = shown_list.stdout.decode("utf-8", "surrogateescape").split("\0")
    values = dict(entry.split("\n", 1) for entry in entries if "\n" in entry)
    urls = {
        path: values.get(key.removesuffix(".path") + ".url", "")
        for key, path in values.items() if key.endswith(".path")
    }
    return urls, text.stdout.decode("utf-8", "surrogateescape")


def _where(text: str, needle: str) -> str:
    """The first line of .gitmodules in which something stands; the file when git reads it otherwise than we do."""
    for number, line in enumerate(text.splitlines(), start=1):
        if needle in line:
            return f"{FILE}:{number}"
    return FILE


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
                mend="move it, and take away what is in its way",
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
        evidence=error.evidence, mend="see whether its address can be read without a password",
    )
