"""What a push of files that are not here yet would do: the deployment's own plan, from digests instead of a commit."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from deployd.deployment.desired import find_wanted
from deployd.environment.naming import environment_of_branch
from deployd.git.mirror import CommitInfo
from deployd.git.submodule_look import Looked
from deployd.ids import ActivityId, CommitId, ProjectId
from deployd.plan import NOTHING_LIVE, Plan, make_plan
from deployd.project.model import ProjectConfig, ReadResult
from deployd.reading.readers import OfferRead
from deployd.release.data.volumes import files_to_give
from deployd.release.images_missing import refused_files
from deployd.release.ports import Host
from deployd.settings import ProjectSettings

NO_COMMIT = CommitId("0" * 40)


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

    async def changed_files(self, project: ProjectId, old: CommitId, new: CommitId, root: str) -> int | None:
        return None

    async def fetch(self, project: ProjectSettings) -> None: ...
    async def tip(self, project: ProjectId, branch: str) -> CommitId | None: ...
    async def contains(self, project: ProjectId, branch: str, commit: CommitId) -> bool:
        raise NotImplementedError

    async def about(self, project: ProjectId, commit: CommitId) -> CommitInfo:
        raise NotImplementedError

    async def look_at_submodules(self, project: ProjectSettings, commit: CommitId, config: ProjectConfig) -> Looked:
        return Looked()

    async def export(
        self, project: ProjectSettings, commit: CommitId, root: str, destination: Path, owner: int,
    ) -> list[str]:
        return []


async def plan_offered(host: Host, project: ProjectSettings, body: bytes) -> tuple[str, Plan]:
    """(the branch, the plan of a push to it)

    Raises:
        OfferUnusable: The body is not what `POST …/plan` takes.
        ConfigurationRefused: The configuration has errors.
    """
    offered = await host.code.read_offer(project, body)
    if offered.result.config is None:
        raise refused_files(offered.result, host.catalogue, nearest=host.settings.takes_nearest(project))
    seen, branch = replace(host, code=OfferedCode(offered)), offered.branch
    environment = environment_of_branch(project.id, branch)
    live = await host.facts.live(environment)
    wanted = await find_wanted(
        seen, project, environment, branch, ActivityId(0), NO_COMMIT, offered.result.config, live, lambda _: None,
    )
    before = live.as_live() if live else NOTHING_LIVE
    rolling = host.settings.strategy_of(project, branch) == "rolling"
    plan = make_plan(
        wanted.apps, wanted.services, wanted.version.routes, before, rolling=rolling,
        freeze_seconds=host.settings.freeze_seconds,
        given_files=await files_to_give(host, environment, live, wanted.version.uid),
    )
    return branch, plan
