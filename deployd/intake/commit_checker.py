"""Whether a commit may become a deployment at all: looked at before the push is accepted."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping

from deployd.deployment.desired import wrong_routes
from deployd.environment.naming import Source
from deployd.environment.routes import routes_of
from deployd.errors import DeployError
from deployd.ids import CommitId
from deployd.intake.ports import Verdict
from deployd.release.applications.kernel_limits import too_large_to_start
from deployd.release.code import ProjectCode
from deployd.release.images_missing import images_missing, refused_files
from deployd.release.ports import Host
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
        nearest = self._host.settings.takes_nearest(project)
        if result.config is None:
            return Verdict(False, refused_files(result, self._host.catalogue, nearest=nearest).evidence)
        refusals, _ = images_missing(self._host.catalogue, result.config.images_asked(), nearest=nearest)
        errors: list[DeployError] = [refusal.error for refusal in refusals]
        environment = Source(project.id, branch).environment
        routes = routes_of(self._host.settings, project, environment, branch, result.config)
        errors += wrong_routes(routes) or await asyncio.to_thread(   # a large one takes a tenth of a second
            too_large_to_start, result.config, project, branch, routes.routes,
        )
        try:
            prefetched = await self._code.prefetch_submodules(project, commit, result.config, env)
        except DeployError as error:
            return Verdict(False, tuple(error.lines()))
        errors += prefetched.errors
        told = [line for error in errors for line in (*error.lines(), "")]
        return Verdict(not errors, (*told, *prefetched.notes()))
