"""All that a step of a deployment may touch, as protocols; a test hands in others.

The real ones are put together in `daemon.py`. No methods here, no globals: what a step did is in the journal, in
Docker's labels and on the disk, and nowhere else.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from deployd.catalogue import Catalogue, Entry
from deployd.clock import Clock
from deployd.deployment.places import Places
from deployd.deployment.version import Version
from deployd.engine.docker import Engine
from deployd.git.mirror import CommitInfo
from deployd.ids import ActivityId, CommitId, EnvironmentName, ProjectId, SlugKey
from deployd.project.model import ProjectConfig, ReadResult
from deployd.router.table import Freeze, Released, RouteSet
from deployd.settings import ProjectSettings, Settings
from deployd.slugs.archive import Slug


class Code(Protocol):
    """The repositories of all projects."""

    async def fetch(self, project: ProjectSettings) -> None: ...
    async def tip(self, project: ProjectId, branch: str) -> CommitId | None: ...
    async def about(self, project: ProjectId, commit: CommitId) -> CommitInfo: ...
    async def read(self, project: ProjectSettings, commit: CommitId) -> ReadResult: ...
    async def tree(self, project: ProjectId, commit: CommitId, root: str) -> str: ...
    async def listing(self, project: ProjectId, commit: CommitId, root: str, config: ProjectConfig) -> str: ...
    async def changed_files(self, project: ProjectId, old: CommitId, new: CommitId, root: str) -> int | None: ...
    async def export(self, project: ProjectId, commit: CommitId, root: str, destination: Path, uid: int) -> None: ...


class Slugs(Protocol):
    """Permanent storage of what was built, and its mounts."""

    async def has(self, key: SlugKey) -> bool: ...
    async def pack(self, workspace: Path, key: SlugKey, mount_points: tuple[str, ...]) -> Slug: ...
    async def ensure_mounted(self, key: SlugKey) -> Path: ...
    async def ensure_unmounted(self, key: SlugKey) -> None: ...


class Router(Protocol):
    async def freeze(self, environment: str, seconds: float, hosts: Sequence[str] = ()) -> Freeze: ...
    async def switch(self, routes: RouteSet) -> Released: ...
    async def put(self, routes: RouteSet) -> None: ...
    async def thaw(self, environment: str) -> Released: ...
    async def look(self, environment: str) -> str | None: ...
    async def remove(self, environment: str) -> None: ...


class Facts(Protocol):
    """What is kept of environments between their deployments."""

    async def live(self, project: ProjectId, environment: EnvironmentName) -> Version | None: ...
    async def set_live(self, project: ProjectId, environment: EnvironmentName, version: Version) -> None: ...
    async def version_of(self, activity: ActivityId) -> Version | None: ...
    async def entropy(self, project: ProjectId) -> str: ...
    async def subnet(self, project: ProjectId, environment: EnvironmentName) -> str: ...
    async def secret(self, project: ProjectId, environment: EnvironmentName, service: str, name: str) -> str: ...
    async def forget(self, project: ProjectId, environment: EnvironmentName) -> None: ...
    async def mounted_slugs_of_others(
        self, project: ProjectId, environment: EnvironmentName,
    ) -> frozenset[SlugKey]: ...


class Images(Protocol):
    async def ensure(self, entry: Entry, tell: Callable[[str], None]) -> str:
        """Image id of a catalogue entry, built when it is not there."""
        ...


@dataclass(frozen=True, slots=True)
class Host:
    """Everything outside of a deployment that its steps reach."""

    settings: Settings
    catalogue: Catalogue
    clock: Clock
    places: Places
    code: Code
    engine: Engine
    images: Images
    slugs: Slugs
    router: Router
    facts: Facts
