"""Configurations of commits, each read once by a reader and then kept: a commit never changes, and every step asks."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Mapping
from dataclasses import dataclass

from deployd.activity.log import Tell
from deployd.git.listing import ListingTooLong, list_tree
from deployd.git.mirror import Mirror
from deployd.git.objects import open_objects
from deployd.git.submodule_list import links_of
from deployd.ids import CommitId, ProjectId
from deployd.project.model import DIALECTS, ProjectConfig, ReadResult
from deployd.project.tree.limits import TreeLimits
from deployd.reading.reader import Asked
from deployd.reading.reader_pool import OfferRead, ReaderPool
from deployd.release.images_missing import refused_files
from deployd.release.ports import Host
from deployd.release.release import Release
from deployd.services.families import RUNNABLE
from deployd.settings import ProjectSettings

MOST_KEPT = 2_000   # most are some kilobytes, and a thousand environments may be live
MOST_KEPT_BYTES = 64_000_000
"""As answers of readers; as values they take some five times as much."""


@dataclass(frozen=True, slots=True)
class _Kept:
    """What is kept of a commit."""

    result: ReadResult
    submodules: bytes
    """As git lists them; mostly nothing."""
    size_bytes: int


class Configurations:
    """Reads what strangers wrote, always in a reader."""

    def __init__(
        self, readers: ReaderPool, limits: TreeLimits, there: Mapping[str, tuple[str, ...]] | None = None,
    ) -> None:
        """
        Args:
            there: {runtime or kind of service: versions that the host has}, for advice.
        """
        self._there = there
        self._readers = readers
        self._limits = limits
        self._kept: OrderedDict[tuple[ProjectId, CommitId], _Kept] = OrderedDict()
        self._kept_bytes = 0

    async def of_commit(
        self, project: ProjectSettings, mirror: Mirror, commit: CommitId, env: Mapping[str, str] | None,
    ) -> ReadResult:
        """
        Raises:
            ConfigurationTooLarge, ConfigurationOverran, TreeTooLarge: It cannot be read.
        """
        return (await self._of_commit(project, mirror, commit, env)).result

    async def submodules_of(
        self, project: ProjectSettings, mirror: Mirror, commit: CommitId, env: Mapping[str, str] | None,
    ) -> bytes:
        """What git lists of a commit's submodules; raises what `of_commit` raises."""
        return (await self._of_commit(project, mirror, commit, env)).submodules

    async def _of_commit(
        self, project: ProjectSettings, mirror: Mirror, commit: CommitId, env: Mapping[str, str] | None,
    ) -> _Kept:
        key = (project.id, commit)
        if key not in self._kept:
            self._keep(key, await self._read(project, mirror, commit, env))
        self._kept.move_to_end(key)
        return self._kept[key]

    async def of_offer(self, project: ProjectSettings, body: bytes) -> OfferRead:
        """What `ReaderPool.read_offer` says."""
        return await self._readers.read_offer(project.id, self._asked(project, offer=body))

    async def _read(
        self, project: ProjectSettings, mirror: Mirror, commit: CommitId, env: Mapping[str, str] | None,
    ) -> _Kept:
        try:
            listing = await list_tree(mirror, commit, most_entries=self._limits.files, env=env)
        except ListingTooLong:
            raise self._limits.too_many_files() from None
        async with open_objects(mirror, env) as objects:
            result, size_bytes = await self._readers.read_commit(
                project.id, self._asked(project, listing=listing), objects.read,
            )
        submodules = b"\0".join(links_of(listing))
        return _Kept(result, submodules, size_bytes + len(submodules))

    def _asked(self, project: ProjectSettings, *, listing: bytes | None = None, offer: bytes = b"") -> Asked:
        dialect = DIALECTS[project.dialect] if project.dialect else None
        lfs = project.remote is not None and project.remote.lfs and project.remote.url.startswith("https:")
        return Asked(self._limits, dialect, project.tolerant, RUNNABLE, self._there, listing, offer, lfs)

    def _keep(self, key: tuple[ProjectId, CommitId], found: _Kept) -> None:
        before = self._kept.pop(key, None)   # another one may have read it meanwhile
        self._kept[key] = found
        self._kept_bytes += found.size_bytes - (before.size_bytes if before else 0)
        while len(self._kept) > 1 and (len(self._kept) > MOST_KEPT or self._kept_bytes > MOST_KEPT_BYTES):
            _, gone = self._kept.popitem(last=False)
            self._kept_bytes -= gone.size_bytes


async def read_config(release: Release, host: Host) -> ProjectConfig:
    """The configuration at a release's commit. The same commit always gives the same, so who needs it asks again."""
    return await config_of(release.project, release.commit, host)


async def config_of(
    project: ProjectSettings, commit: CommitId, host: Host, tell: Tell | None = None,
) -> ProjectConfig:
    """The configuration at a commit, its warnings told.

    Raises:
        ConfigurationRefused: It has errors.
    """
    result = await host.code.read(project, commit)
    if result.config is None:
        raise refused_files(
            result, host.catalogue, nearest=host.settings.takes_nearest(project),
            services=host.settings.service_fallback_of(project),
        )
    if tell is not None:
        for warning in result.warnings:
            tell.warn(f"{warning.place}: {warning.what}" + (f"; {warning.hint}" if warning.hint else ""))
    return result.config
