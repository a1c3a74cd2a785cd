"""Crons: run one now."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from deployd.errors import DeployError
from deployd.queries.environments import EnvironmentQueries
from deployd.state.rests import AWAKE, PAUSED
from deployd.upkeep.crons import CronKey, Crons


@dataclass(frozen=True, slots=True, kw_only=True)
class CronWantedShape:
    """A run that was asked for."""

    project: str
    environment: str
    app: str
    cron: str
    due: str
    """By which its run is known: ISO 8601, UTC."""


class AtRest(DeployError):
    """Nothing runs in the environment."""

    code: ClassVar[str] = "environment-at-rest"


class CronCommands:
    def __init__(self, environments: EnvironmentQueries, crons: Crons) -> None:
        self._environments = environments
        self._crons = crons

    async def run(self, project: str, environment: str, app: str, cron: str, who: str) -> CronWantedShape:
        """Have a cron run as soon as it may: one of an application at a time, and not into a deployment.

        Raises:
            NotFound: There is no such environment, or no such cron in what is live.
            CronRuns: A run of it goes on or waits.
            AtRest: The environment is paused or inactive.
        """
        found = await self._environments.find_configured(project, environment)
        if found.rest != AWAKE:
            raise AtRest(
                f"{found.branch} is {found.rest}, and its crons rest",
                hint=f"`deployd environment {'wake' if found.rest == PAUSED else 'activate'} {project} {found.branch}`",
            )
        due = await self._crons.run_now(CronKey(found.id, app, cron), who)
        return CronWantedShape(
            project=found.project, environment=found.name, app=app, cron=cron, due=due.isoformat(),
        )
