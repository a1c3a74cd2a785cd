"""The repositories of all projects, as the steps of a deployment use them."""

from __future__ import annotations

import asyncio
from collections import OrderedDict
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path

from deployd.confined.trees import own_tree
from deployd.git.clones import clone_branch, move_branch, take_pack
from deployd.git.history import Commits, TextDifference, authors_between, commits_behind, diff_of
from deployd.git.lfs import LfsServer, server_of
from deployd.git.mirror import CommitInfo, Mirror, without_user
from deployd.git.origin import Origin
from deployd.git.remote import Fetches, push
from deployd.git.submodule_prefetch import Prefetched, SubmodulePrefetch
from deployd.git.workspace import export
from deployd.ids import CommitId, ProjectId
from deployd.project.model import ProjectConfig, ReadResult
from deployd.project.tree.limits import TreeLimits
from deployd.public_addresses import Opening
from deployd.reading.reader_pool import OfferRead, ReaderPool
from deployd.release.configuration import Configurations
from deployd.settings import ProjectSettings

MOST_ENTRIES = 200_000
MOST_KEPT = 2_000   # of what people read of commits


class ProjectCode:
    """Mirrors by project."""

    def __init__(
        self, repository: Callable[[ProjectId], Path], hooks: Path, readers: ReaderPool, limits: TreeLimits,
        openings: tuple[Opening, ...] = (), there: Mapping[str, tuple[str, ...]] | None = None,
    ) -> None:
        """
        Args:
            openings: Addresses that are not public and from which submodules may be fetched nevertheless.
            there: {runtime or kind of service: versions that the host has}, for advice.
        """
        self._openings = openings
        self._repository = repository
        self._hooks = hooks
        self._limits = limits
        self._configurations = Configurations(readers, limits, there)
        self._about: OrderedDict[tuple[ProjectId, CommitId], CommitInfo] = OrderedDict()
        self._ready: set[ProjectId] = set()
        self._fetches = Fetches()
        self._prefetch = SubmodulePrefetch()

    async def path(self, project: ProjectSettings) -> Path:
        """The bare repository, made when it is not there."""
        mirror = Mirror(self._repository(project.id))
        if project.id not in self._ready:
            await mirror.ensure(self._hooks, project.default_branch)
            self._ready.add(project.id)
        return mirror.path

    async def fetch(self, project: ProjectSettings) -> None:
        if project.remote is not None:
            mirror = Mirror(await self.path(project))
            token = project.remote.token.get_secret_value() if project.remote.token else None
            await self._fetches.fetch(mirror, project.remote.url, token)

    async def tip(self, project: ProjectId, branch: str) -> CommitId | None:
        return await self._mirror(project).tip(branch)

    async def branches(self, project: ProjectId) -> Mapping[str, CommitId]:
        mirror = self._mirror(project)
        return await mirror.branches() if mirror.path.exists() else {}

    async def about(self, project: ProjectId, commit: CommitId) -> CommitInfo:
        key = (project, commit)
        if key not in self._about:
            self._about[key] = await self._mirror(project).about(commit)
            if len(self._about) > MOST_KEPT:
                self._about.popitem(last=False)
        return self._about[key]

    async def pack(self, project: ProjectId) -> None:
        """Pack a repository that has gathered many loose objects."""
        mirror = self._mirror(project)
        if await asyncio.to_thread(mirror.path.exists):
            await mirror.pack()

    async def contains(self, project: ProjectId, branch: str, commit: CommitId) -> bool:
        """Whether a commit is merged into a branch."""
        tip = await self.tip(project, branch)
        return tip is not None and await self._mirror(project).is_ancestor(commit, tip)

    async def read(
        self, project: ProjectSettings, commit: CommitId, env: Mapping[str, str] | None = None,
    ) -> ReadResult:
        """The configuration at a commit, or all its errors."""
        return await self._configurations.of_commit(project, Mirror(await self.path(project)), commit, env)

    async def read_offer(self, project: ProjectSettings, body: bytes) -> OfferRead:
        """What somebody offers for a plan, read."""
        return await self._configurations.of_offer(project, body)

    async def tree(self, project: ProjectId, commit: CommitId, root: str) -> str:
        return await self._mirror(project).tree_id(commit, root) if root else (await self.about(project, commit)).tree

    async def listing(self, project: ProjectId, commit: CommitId, root: str, config: ProjectConfig) -> str:
        """Digest of an application's files without the configuration files: editing a cron must not rebuild.

        Files that the configuration includes from the code (a hook's script) count: a build may read them.
        """
        return await self._mirror(project).listing_digest(commit, root, config.configuration_paths())

    async def entries(self, project: ProjectId, commit: CommitId, root: str) -> Mapping[str, str] | None:
        """{path from an application's root: mode, kind and git's id}; None: there are too many."""
        return await self._mirror(project).entries(commit, root, MOST_ENTRIES)

    async def changed_files(self, project: ProjectId, old: CommitId, new: CommitId, root: str) -> int | None:
        return await self._mirror(project).changed_files(old, new, root)

    async def commits_behind(self, project: ProjectId, old: CommitId, new: CommitId, most: int) -> Commits | None:
        """Commits that are in the new one and not in the old one; None: one of them is not here."""
        return await commits_behind(self._mirror(project), old, new, most)

    async def authors_between(self, project: ProjectId, old: CommitId | None, new: CommitId) -> tuple[str, ...]:
        """Who wrote the commits since another one; of all, without one."""
        return await authors_between(self._mirror(project), old, new)

    async def holds(
        self, project: ProjectId, older: CommitId, newer: CommitId, env: Mapping[str, str] | None = None,
    ) -> bool:
        """Whether one commit is contained in another."""
        return await self._mirror(project).is_ancestor(older, newer, env)

    async def find_commit(self, project: ProjectId, written: str) -> CommitId | None:
        """The commit that an id names, whole or its first characters; None: there is none, or several."""
        return await self._mirror(project).commit_of_id(written)

    async def diff(
        self, old: tuple[ProjectId, CommitId], new: tuple[ProjectId, CommitId], paths: Iterable[str], most_lines: int,
    ) -> TextDifference | None:
        """How some files differ between two commits, of two projects or of one; None: one of them is not here."""
        (project, before), (other, after) = old, new
        return await diff_of((self._mirror(project), before), (self._mirror(other), after), paths, most_lines)

    async def prefetch_submodules(
        self, project: ProjectSettings, commit: CommitId, config: ProjectConfig, env: Mapping[str, str] | None = None,
    ) -> Prefetched:
        """Have the submodules that the builds of a commit will need, and say which cannot be had."""
        mirror = Mirror(await self.path(project))
        listing = await self._configurations.submodules_of(project, mirror, commit, env)
        roots = [app.root for app in config.applications]
        return await self._prefetch.at(mirror, commit, listing, roots, self._origin(project), env)

    async def export(
        self, project: ProjectSettings, commit: CommitId, root: str, destination: Path, owner: int,
    ) -> list[str]:
        """A workspace that belongs to the user of the build. Returns what people should know of it."""
        mirror = self._mirror(project.id)
        notes = await export(mirror, commit, root, destination, self._limits, self._origin(project))
        await own_tree(destination, owner)
        return notes

    async def clone(self, project: ProjectSettings, branch: str, destination: Path, owner: int) -> CommitId:
        """A clone of one branch that belongs to the user of the build; nothing is checked out. Returns its commit."""
        commit = await clone_branch(Mirror(await self.path(project)), branch, destination)
        await own_tree(destination, owner)
        return commit

    async def take_pack(self, project: ProjectId, file: Path, wanted: CommitId) -> None:
        """Have a commit of a pack that strangers made, when all of it is right."""
        await take_pack(self._mirror(project), file, wanted)

    async def move_branch(self, project: ProjectSettings, branch: str, new: CommitId, old: CommitId) -> None:
        """Have a branch at a commit: at the remote, where the code is there, and here.

        Raises:
            BranchMoved, PushRefused: It is where it was.
        """
        mirror = self._mirror(project.id)
        if project.remote is None:
            await move_branch(mirror, branch, new, old)
            return
        token = project.remote.token.get_secret_value() if project.remote.token else None
        await push(mirror, project.remote.url, token, branch, new, old)
        await self.fetch(project)

    def _origin(self, project: ProjectSettings) -> Origin:
        return Origin(remote_of(project), self._openings, lfs_of(project))

    def _mirror(self, project: ProjectId) -> Mirror:
        return Mirror(self._repository(project))


def lfs_of(project: ProjectSettings) -> LfsServer | None:
    remote = project.remote
    if remote is None or not remote.lfs:
        return None
    return server_of(remote.url, remote.token.get_secret_value() if remote.token else None)


def remote_of(project: ProjectSettings) -> str | None:
    """Without its password: the repository says what is fetched from there, and that may be somebody else's."""
    return without_user(project.remote.url) if project.remote is not None else None
