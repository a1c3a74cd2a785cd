"""Plans: what a push of files that are not here yet would do, by a deployment's own rules.

Digests of the files stand for the commit that there is not.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path

from deployd.deployment.desired import Candidate, cannot_be_masked, find_wanted
from deployd.deployment.stored import why_stored
from deployd.environment.naming import Source
from deployd.environment.variables import doubtful_variables
from deployd.git.history import Commits
from deployd.git.mirror import CommitInfo
from deployd.git.submodule_prefetch import Prefetched
from deployd.ids import ActivityId, CommitId, ProjectId
from deployd.plan import NOTHING_LIVE, Plan, make_plan
from deployd.project.model import ProjectConfig, ReadResult
from deployd.queries.projects import find_project
from deployd.reading.reader_pool import OfferRead
from deployd.release.data.volumes import files_to_give
from deployd.release.images_missing import refused_files
from deployd.release.ports import Host
from deployd.release.release import Environment
from deployd.settings import ProjectSettings
from deployd.state import locks
from deployd.state.store import Store

NO_COMMIT = CommitId("0" * 40)


@dataclass(frozen=True, slots=True, kw_only=True)
class PlanShape:
    project: str
    branch: str
    lines: tuple[str, ...]
    """What would be done and why, one sentence each; those with `refused:` in front say why a push would be refused."""


class PlanQueries:
    def __init__(self, store: Store, host: Host) -> None:
        self._store = store
        self._host = host

    async def of_push(self, project: str, body: bytes) -> PlanShape:
        """What a push of a working tree would do, one line each.

        Args:
            body: As `deployd plan` sends it (`reading/plan_body.py`).

        Raises:
            NotFound: There is no such project.
            OfferUnusable: The body is not what `POST …/plan` takes.
            ConfigurationRefused: The configuration has errors.
        """
        of = find_project(self._host.settings, project)
        branch, plan = await plan_offered(self._host, of, body)
        refused = (f"refused: {reason}" for reason in plan.refusals)
        lock = await self._store.read(lambda db: locks.find(db, Source(of.id, branch).environment))
        locked = (f"waits when it is built: {lock.said(branch)}",) if lock else ()
        stored = await self._store.read(lambda db: why_stored(self._host.settings, db, Source(of.id, branch)))
        first = (f"{stored.said(branch)}; this is done then",) if stored else ()
        said = (*first, *plan.lines(), *cannot_be_masked(of), *doubtful_variables(of), *locked, *refused)
        return PlanShape(project=project, branch=branch, lines=said)


class OfferedCode:
    """The `Code` of a deployment, answering from what was offered."""

    def __init__(self, offered: OfferRead) -> None:
        self._offered = offered

    async def read(self, project: ProjectSettings, commit: CommitId) -> ReadResult:
        return self._offered.result

    async def read_offer(self, project: ProjectSettings, body: bytes) -> OfferRead:
        return self._offered

    async def listing(self, project: ProjectId, commit: CommitId, root: str, config: ProjectConfig) -> str:
        return self._offered.listings.get(root, "")

    async def tree(self, project: ProjectId, commit: CommitId, root: str) -> str:
        return ""

    async def entries(self, project: ProjectId, commit: CommitId, root: str) -> Mapping[str, str] | None:
        return None   # the digest of all files was offered, and not the files

    async def changed_files(self, project: ProjectId, old: CommitId, new: CommitId, root: str) -> int | None:
        return None

    async def fetch(self, project: ProjectSettings) -> None: ...
    async def tip(self, project: ProjectId, branch: str) -> CommitId | None: ...
    async def contains(self, project: ProjectId, branch: str, commit: CommitId) -> bool:
        raise NotImplementedError

    async def holds(self, project: ProjectId, older: CommitId, newer: CommitId) -> bool:
        raise NotImplementedError

    async def commits_behind(self, project: ProjectId, old: CommitId, new: CommitId, most: int) -> Commits | None:
        return None

    async def authors_between(self, project: ProjectId, old: CommitId | None, new: CommitId) -> tuple[str, ...]:
        return ()

    async def about(self, project: ProjectId, commit: CommitId) -> CommitInfo:
        raise NotImplementedError

    async def prefetch_submodules(
        self, project: ProjectSettings, commit: CommitId, config: ProjectConfig,
    ) -> Prefetched:
        return Prefetched()

    async def export(
        self, project: ProjectSettings, commit: CommitId, root: str, destination: Path, owner: int,
    ) -> list[str]:
        return []

    async def clone(self, project: ProjectSettings, branch: str, destination: Path, owner: int) -> CommitId:
        raise NotImplementedError

    async def take_pack(self, project: ProjectId, file: Path, wanted: CommitId) -> None:
        raise NotImplementedError

    async def move_branch(self, project: ProjectSettings, branch: str, new: CommitId, old: CommitId) -> None:
        raise NotImplementedError


async def plan_offered(host: Host, project: ProjectSettings, body: bytes) -> tuple[str, Plan]:
    """(the branch, the plan of a push to it)"""
    offered = await host.code.read_offer(project, body)
    if offered.result.config is None:
        raise refused_files(
            offered.result, host.catalogue, nearest=host.settings.takes_nearest(project),
            services=host.settings.service_fallback_of(project),
        )
    seen, branch = replace(host, code=OfferedCode(offered)), offered.branch
    environment = Source(project.id, branch).environment
    live = await host.facts.live(environment)
    place = Environment(host.settings.instance, project, environment, branch)
    candidate = Candidate(place, ActivityId(0), NO_COMMIT, offered.result.config)
    wanted = await find_wanted(seen, candidate, live, lambda _: None)
    before = live.as_live() if live else NOTHING_LIVE
    rolling = host.settings.strategy_of(project, branch) == "rolling"
    plan = make_plan(
        wanted.apps, wanted.services, wanted.version.routes, before, rolling=rolling,
        freeze_seconds=host.settings.freeze_seconds,
        given_files=await files_to_give(host, environment, live, wanted.version.uid),
    )
    return branch, plan
