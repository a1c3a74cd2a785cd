"""Which submodules a commit has, and where each of them is to be had: its tree beside its .gitmodules.

All of it is a stranger's word, and nothing is connected to here. A relative address is one that git would find beside
the repository's own remote; of a project whose code is pushed here there is no such place.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar
from urllib.parse import urlsplit, urlunsplit

from deployd.errors import DeployError
from deployd.git.mirror import Mirror, without_user
from deployd.git.program import git
from deployd.ids import CommitId

FILE = ".gitmodules"
GITLINK = b"160000 "
LONGEST_LIST_BYTES = 1024**2
"""Of a .gitmodules; a hundred submodules take 20 kB."""
NO_ADDRESS = re.compile(r"[^\x21-\x7e]")
"""Characters that no address has; git would take some of them for the end of one."""
LIST_SECONDS = 30.0
RELATIVE = ("./", "../")
OVER_SSH = re.compile(r"(?:ssh://)?(?:[^@/]+@)?(?P<host>[A-Za-z0-9.-]+)(?::\d+(?=/)|:)?/?(?P<path>[^:]+)", re.ASCII)
"""`git@example.com:shop/shop.git` and `ssh://git@example.com/shop/shop.git`"""


class SubmoduleMissing(DeployError):
    """A submodule's commit could not be had."""

    code: ClassVar[str] = "submodule-missing"


@dataclass(frozen=True, slots=True)
class Submodule:
    """One that a commit has, as it is found in its tree and in its .gitmodules."""

    path: str
    """From the repository's root."""
    commit: CommitId
    url: str
    """With a relative one resolved, where there is something that it is relative to."""
    where: str
    """`.gitmodules:3`; the path itself when there is no such file."""

    @property
    def shown(self) -> str:
        return shown(self.path)


async def read_submodules(mirror: Mirror, commit: CommitId, base: str | None) -> tuple[Submodule, ...]:
    """All submodules of a commit, in the order of its tree.

    Args:
        base: What relative addresses are relative to.
    """
    listed = await git(mirror.path, "ls-tree", "-r", "-z", commit, limit_seconds=LIST_SECONDS)
    return await submodules_of(mirror, commit, "", listed.stdout, base)


async def submodules_of(
    mirror: Mirror, commit: CommitId, root: str, listing: bytes, base: str | None, env: Mapping[str, str] | None = None,
) -> tuple[Submodule, ...]:
    """Those of a listing of the files below a folder."""
    links = links_of(listing)
    if not links:
        return ()
    listed = await _read_list(mirror, commit, env)
    found = []
    for entry in links:
        meta, _, name = entry.decode("utf-8", "surrogateescape").partition("\t")
        path = f"{root}/{name}" if root else name
        url = listed.urls.get(path, "")
        where = listed.where(url or path) if listed.is_there else shown(path)
        found.append(Submodule(path, CommitId(meta.split()[2]), resolved(url, base), where))
    return tuple(found)


def links_of(listing: bytes) -> list[bytes]:
    """The entries of a listing that are submodules; in nearly every one there are none."""
    if GITLINK not in listing:
        return []
    return [entry for entry in listing.split(b"\0") if entry.startswith(GITLINK)]


def resolved(url: str, base: str | None) -> str:
    """A relative address beside the address that it is relative to, as git does it; any other as it is.

    One of ssh becomes that of https at the same place: nobody here has a key, and only https is fetched.
    """
    if base is None or not url.startswith(RELATIVE):
        return url
    over_ssh = None if base.startswith(("https:", "http:", "file:", "/")) else OVER_SSH.fullmatch(base)
    try:
        parts = urlsplit(f"https://{over_ssh['host']}/{over_ssh['path']}" if over_ssh else base)
    except ValueError:
        return url
    kept, rest = [part for part in parts.path.split("/") if part], url.split("/")
    while rest and rest[0] in (".", ".."):
        if rest.pop(0) == "..":
            if not kept:
                return url
            kept.pop()
    return urlunsplit(parts._replace(path="/" + "/".join([*kept, *rest]), query="", fragment=""))


def refuse_unusable(wanted: Submodule) -> None:
    """
    Raises:
        SubmoduleMissing: It has no address, or one of a kind that is not fetched.
    """
    if not wanted.url:
        there = wanted.where.startswith(FILE)
        raise SubmoduleMissing(
            f"the submodule {wanted.shown} has no address: "
            + (f"{FILE} does not name one for it" if there else f"there is no {FILE}"),
            where=wanted.where,
            hint=f"name it by `git submodule add <address> {wanted.shown}`, or commit its files instead:"
                 f" `git rm --cached {wanted.shown}`, remove {wanted.shown}/.git and add it again",
        )
    try:
        parts = urlsplit(wanted.url)
        usable = parts.scheme == "https" and bool(parts.hostname) and (parts.port is None or parts.port > 0)
    except ValueError:
        usable = False
    if not usable or NO_ADDRESS.search(wanted.url):
        relative = wanted.url.startswith(RELATIVE)
        raise SubmoduleMissing(
            f"the submodule {wanted.shown} has the address {shown(wanted.url)}"
            + (", and there is no remote that it is relative to" if relative else "")
            + "; only https:// addresses can be fetched",
            where=wanted.where, hint=f"change the url of {wanted.shown} in {FILE}"
            + (" to the whole address" if relative else ""),
        )


def shown(text: str) -> str:
    """A stranger's text as people may read it: without its password, in one line, no longer than they read."""
    try:
        text = without_user(text)
    except ValueError:   # it begins like an address and is none
        text = text.rpartition("@")[2]
    plain = "".join(letter if letter.isprintable() else "\N{REPLACEMENT CHARACTER}" for letter in text)
    return plain if len(plain) <= 200 else f"{plain[:200]} […]"


@dataclass(frozen=True, slots=True)
class _List:
    """A .gitmodules."""

    is_there: bool
    urls: Mapping[str, str]
    """{path: url}"""
    text: str

    def where(self, needle: str) -> str:
        """The first line in which something stands; the file when git reads it otherwise than we do."""
        for number, line in enumerate(self.text.splitlines(), start=1):
            if needle in line:
                return f"{FILE}:{number}"
        return FILE


async def _read_list(mirror: Mirror, commit: CommitId, env: Mapping[str, str] | None) -> _List:
    """That of a commit; without addresses when it cannot be read."""
    name = f"{commit}:{FILE}"
    size = await git(mirror.path, "cat-file", "-s", name, check=False, env=env)
    if size.status != 0 or int(size.text) > LONGEST_LIST_BYTES:
        return _List(size.status == 0, {}, "")
    listed = await git(
        mirror.path, "config", "-z", "--no-includes", "--blob", name, "--get-regexp",
        r"^submodule\..*\.(path|url)$", check=False, env=env,
    )
    text = await git(mirror.path, "cat-file", "blob", name, check=False, env=env)
    entries = listed.stdout.decode("utf-8", "surrogateescape").split("\0")
    values = dict(entry.split("\n", 1) for entry in entries if "\n" in entry)
    urls = {
        path: values.get(key.removesuffix(".path") + ".url", "")
        for key, path in values.items() if key.endswith(".path")
    }
    return _List(True, urls, text.stdout.decode("utf-8", "surrogateescape"))
