"""Whether a commit may become a deployment at all: looked at before the push is accepted."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence

from deployd.deployment.desired import wrong_routes
from deployd.environment.naming import Source
from deployd.environment.routes import routes_of
from deployd.errors import DeployError
from deployd.ids import CommitId
from deployd.intake.ports import Verdict
from deployd.intake.push import Push
from deployd.promotion.gate import Facts, not_merged
from deployd.release.applications.kernel_limits import too_large_to_start
from deployd.release.code import ProjectCode
from deployd.release.images_missing import images_missing, refused_files
from deployd.release.ports import Host
from deployd.release.tickets import NotMerged
from deployd.settings import ProjectSettings


class CommitChecker:
    """Reads the configuration at a commit that may still lie in git's quarantine."""

    def __init__(self, code: ProjectCode, host: Host) -> None:
        self._code = code
        self._host = host

    async def check(
        self, project: ProjectSettings, commit: CommitId, branch: str, env: Mapping[str, str],
    ) -> Verdict:
        """Everything that is wrong, at once, as `deployd check` says it."""
        try:
            result = await self._code.read(project, commit, env)
        except DeployError as error:
            return Verdict(False, tuple(error.lines()))
        catalogue, settings = self._host.catalogue, self._host.settings
        nearest, services = settings.takes_nearest(project), settings.service_fallback_of(project)
        if result.config is None:
            return Verdict(False, refused_files(result, catalogue, nearest=nearest, services=services).evidence)
        refusals, _ = images_missing(catalogue, result.config.images_asked(), nearest=nearest, services=services)
        errors: list[DeployError] = [refusal.error for refusal in refusals]
        environment = Source(project.id, branch).environment
        routes = routes_of(self._host.settings, project, environment, branch, result.config)
        seen = await self._host.facts.with_variables(
            project, branch, await self._host.facts.variables_now(project, branch),
        )
        errors += wrong_routes(routes) or await asyncio.to_thread(   # a large one takes a tenth of a second
            too_large_to_start, result.config, seen, branch, routes.routes,
        )
        try:
            prefetched = await self._code.prefetch_submodules(project, commit, result.config, env)
        except DeployError as error:
            return Verdict(False, tuple(error.lines()))
        errors += prefetched.errors
        told = [line for error in errors for line in (*error.lines(), "")]
        return Verdict(not errors, (*told, *prefetched.notes()))

    async def unmerged(
        self, project: ProjectSettings, pushes: Sequence[Push], env: Mapping[str, str],
    ) -> NotMerged | None:
        """The first of several pushes whose commit a protected environment does not take.

        What the same push brings to the source counts. Should git not move that branch after all, it shows when the
        gate is asked, before anything becomes live.
        """
        moved = {push.branch: push for push in pushes}
        for push in pushes:
            protection = project.protection_of(push.branch)
            if protection is None or push.deleted:
                continue
            source = project.source_of(push.branch)
            is_live = project.protection_of(source) is not None
            has = await (self._live(project, source) if is_live else self._tip(project, source, moved.get(source)))
            if has is None or not await self._code.holds(project.id, push.new, has, env):
                obstacle = not_merged(Facts(
                    project=project.id, branch=push.branch, protection=protection, source=source, commit=push.new,
                    is_contained=False, source_is_live=is_live, now=self._host.clock.now(),
                ))
                return NotMerged(obstacle.what, hint=obstacle.hint)
        return None

    async def _live(self, project: ProjectSettings, branch: str) -> CommitId | None:
        live = await self._host.facts.live(Source(project.id, branch).environment)
        return live.commit if live else None

    async def _tip(self, project: ProjectSettings, branch: str, push: Push | None) -> CommitId | None:
        if push is not None:
            return None if push.deleted else push.new
        return await self._code.tip(project.id, branch)
