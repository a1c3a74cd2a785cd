"""Facts of environments in which nobody has set a variable."""

from __future__ import annotations

from deployd.environment.kept_variables import SeenVariables
from deployd.settings import ProjectSettings


class NoVariables:
    async def variables_now(self, project: ProjectSettings, branch: str) -> SeenVariables:
        return SeenVariables()

    async def with_variables(self, project: ProjectSettings, branch: str, seen: SeenVariables) -> ProjectSettings:
        return project
