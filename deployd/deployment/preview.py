"""What a push of files that are not here yet would do: the deployment's own plan, from digests instead of a commit."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path

from deployd.deployment.code import DIALECTS
from deployd.deployment.host import Host
from deployd.deployment.refused import ConfigurationRefused
from deployd.deployment.wanted import find_wanted
from deployd.environment.naming import machine_name
from deployd.git.mirror import CommitInfo
from deployd.ids import ActivityId, CommitId, ProjectId
from deployd.plan import NOTHING_LIVE, Plan, make_plan
from deployd.project.model import ProjectConfig, ReadResult
from deployd.project.reader import read_project
from deployd.project.report import render_findings
from deployd.services.families import RUNNABLE
from deployd.settings import ProjectSettings

NO_COMMIT = CommitId("0" * 40)


@dataclass(frozen=True, slots=True)
class Offered:
    """A working tree as far as a plan needs it."""

    files: Mapping[str, bytes]
    """{path: content} of the configuration files, with all that they include."""
    paths: frozenset[str]
    """Every path of the tree."""
    listings: Mapping[str, str]
    """{application root: digest of its files without the configuration}"""


class OfferedTree:
    """The reader's view of what was offered."""

    def __init__(self, offered: Offered) -> None:
        self._offered = offered

    def paths(self) -> Iterable[str]:
        return self._offered.paths

    def read(self, path: str) -> bytes:
        try:
            return self._offered.files[path]
        except KeyError:
            raise FileNotFoundError(path) from None

    def is_link(self, path: str) -> bool:
        return False

    def is_folder(self, path: str) -> bool:
        return path == "" or any(other.startswith(f"{path}/") for other in self._offered.paths)


class OfferedCode:
    """The `Code` of a deployment, answering from what was offered."""

    def __init__(self, offered: Offered) -> None:
        self._offered = offered

    async def read(self, project: ProjectSettings, commit: CommitId) -> ReadResult:
        dialect = DIALECTS[project.dialect] if project.dialect else None
        return read_project(
            OfferedTree(self._offered), dialect=dialect, tolerant=project.tolerant, runnable=RUNNABLE,
        )

    async def listing(self, project: ProjectId, commit: CommitId, root: str, config: ProjectConfig) -> str:
        return self._offered.listings.get(root, "")

    async def tree(self, project: ProjectId, commit: CommitId, root: str) -> str:
        return ""

    async def changed_files(self, project: ProjectId, old: CommitId, new: CommitId, root: str) -> int | None:
        return None

    async def fetch(self, project: ProjectSettings) -> None: ...
    async def tip(self, project: ProjectId, branch: str) -> CommitId | None: ...
    async def contains(self, project: ProjectId, branch: str, commit: CommitId) -> bool:
        raise NotImplementedError

    async def about(self, project: ProjectId, commit: CommitId) -> CommitInfo:
        raise NotImplementedError

    async def export(self, project: ProjectId, commit: CommitId, root: str, destination: Path, uid: int) -> None: ...


async def plan_offered(host: Host, project: ProjectSettings, branch: str, offered: Offered) -> Plan:
    """The plan of a push to a branch.

    Raises:
        ConfigurationRefused: The configuration has errors.
    """
    seen = replace(host, code=OfferedCode(offered))
    result = await seen.code.read(project, NO_COMMIT)
    if result.config is None:
        raise ConfigurationRefused(render_findings(result.findings), len(result.errors))
    environment = machine_name(branch)
    live = await host.facts.live(project.id, environment)
    wanted = await find_wanted(
        seen, project, environment, branch, ActivityId(0), NO_COMMIT, result.config, live, lambda _: None,
    )
    before = live.as_live() if live else NOTHING_LIVE
    rolling = host.settings.strategy_of(project, branch) == "rolling"
    return make_plan(wanted.apps, wanted.services, wanted.version.routes, before, rolling=rolling)
