"""What steps of builds made, kept for later builds: layers of an overlay, one file each, as slugs are.

    <folder>/<project>/<zone>/<key>.squashfs, <key>.json     see `archive.py`

Only the daemon writes here, and only what a step has left when its container is dead; no container sees these folders.
A zone's builds never see what those of another one kept.
"""

from __future__ import annotations

import asyncio
import hashlib
import json
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import structlog

from deployd.ids import ProjectId, SlugKey
from deployd.slugs.archive import SlugStore
from deployd.slugs.layers import why_no_layers
from deployd.units import MEGABYTE

log = structlog.get_logger()

ZONE = re.compile(r"[a-z]+")
JUST_USED_SECONDS = 3_600.0
"""A build that was planned with it may still run."""


@dataclass(frozen=True, slots=True)
class KeptResult:
    project: ProjectId
    zone: str
    key: SlugKey
    size_bytes: int
    used_at: float
    """Unix time."""

    @property
    def name(self) -> str:
        return f"{self.project}/{self.zone}/{self.key}"


def own_key(about: Mapping[str, Any]) -> SlugKey:
    """What a result is called: its key says what it was made of, the rest in which repository it fits. Pure."""
    return SlugKey(hashlib.sha256(json.dumps(about, sort_keys=True).encode()).hexdigest())


class KeptResults:
    """All of one daemon."""

    def __init__(self, folder: Path, *, min_free_bytes: int = 0) -> None:
        self._folder = folder
        self._min_free_bytes = min_free_bytes
        self._stores: dict[tuple[ProjectId, str], SlugStore] = {}
        self._why_not: str | None = None

    def folder(self, project: ProjectId, zone: str) -> Path:
        assert ZONE.fullmatch(zone), zone
        return self._folder / project / zone

    def of(self, project: ProjectId, zone: str) -> SlugStore:
        """Those of a project's zone."""
        key = (project, zone)
        if key not in self._stores:
            self._stores[key] = SlugStore(self.folder(*key), min_free_bytes=self._min_free_bytes, layers=True)
        return self._stores[key]

    async def can_be_used(self) -> bool:
        """Whether this host can put layers together; tried once."""
        if self._why_not is None:
            self._why_not = await why_no_layers(self._folder)
            if self._why_not:
                log.warning("builds_take_over_nothing", why=self._why_not, hint="`state` must be on no overlay itself")
        return not self._why_not

    async def find(self, project: ProjectId, zone: str, key: SlugKey) -> list[tuple[SlugKey, Mapping[str, Any]]]:
        """[(a result's own key, what was written down beside it), …] of the results with a key, newest first."""
        store = self.of(project, zone)
        found = [(slug.key, await store.about(slug.key)) for slug in await store.list()]
        fitting = [(own, about) for own, about in found if about is not None and about.get("key") == key]
        used = {own: await store.last_use(own) for own, _ in fitting}
        return sorted(fitting, key=lambda item: used[item[0]], reverse=True)

    async def all(self, only: ProjectId | None = None) -> tuple[KeptResult, ...]:
        """All of them, or those of a project."""
        return tuple(sorted(
            [
                KeptResult(project, zone, slug.key, slug.size_bytes, await self.of(project, zone).last_use(slug.key))
                for project, zone in await asyncio.to_thread(self._zones) if only in (None, project)
                for slug in await self.of(project, zone).list()
            ],
            key=lambda item: item.used_at, reverse=True,
        ))

    async def remove_unused(self, name: str, before: float) -> bool:
        """Take one away, unless it was made or asked for since a moment (Unix time).

        Args:
            name: Of the `KeptResult`.
        """
        project, zone, key = name.split("/")
        return await self.of(ProjectId(project), zone).remove_unused(SlugKey(key), before)

    async def ensure_in_bounds(self, project: ProjectId, most_mb: int, now: float) -> int:
        """Take away what a project used least lately until it has no more than it may. Gives how many that were."""
        return sum([
            await self.remove_unused(item.name, now - JUST_USED_SECONDS)
            for item in over_bounds(await self.all(project), most_mb)
        ])

    async def sweep(self) -> None:
        """Remove what a crash left half packed. Only at the start of the daemon."""
        for project, zone in await asyncio.to_thread(self._zones):
            await self.of(project, zone).sweep()

    def _zones(self) -> list[tuple[ProjectId, str]]:
        found = sorted(path for path in self._folder.glob("*/*") if path.is_dir() and ZONE.fullmatch(path.name))
        return [(ProjectId(path.parent.name), path.name) for path in found]


def over_bounds(results: Iterable[KeptResult], most_mb: int) -> list[KeptResult]:
    """Of each project, those that do not fit when the ones used last come first. Pure."""
    left: dict[ProjectId, int] = {}
    over = []
    for item in sorted(results, key=lambda item: item.used_at, reverse=True):
        rest = left.get(item.project, most_mb * MEGABYTE) - item.size_bytes
        if rest < 0:
            over.append(item)
        else:
            left[item.project] = rest
    return over
