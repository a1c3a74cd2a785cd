"""Operations that the files of what is live name: commands that people run on demand."""

from __future__ import annotations

from dataclasses import dataclass

from deployd.deployment.operation import DEFAULT_SECONDS
from deployd.queries.environments import EnvironmentQueries
from deployd.release.configuration import read_config
from deployd.release.ports import Host
from deployd.release.release import live_release


@dataclass(frozen=True, slots=True, kw_only=True)
class OperationShape:
    """A command of an application's file."""

    app: str
    name: str
    role: str
    """The least role that runs it: `viewer`, `contributor` or `admin`."""
    start: str
    """What it runs."""
    stop: str
    """What runs when it is cancelled or takes too long; empty: it gets SIGTERM."""
    timeout_seconds: int


class OperationQueries:
    def __init__(self, host: Host, environments: EnvironmentQueries) -> None:
        self._host = host
        self._environments = environments

    async def all(self, project: str, environment: str) -> list[OperationShape]:
        """Of an environment (machine name or branch), as it is live; none when nothing is.

        Raises:
            NotFound: There is no such environment.
            ConfigurationRefused: Its files cannot be read any more.
        """
        found = await self._environments.find_configured(project, environment)
        version = await self._host.facts.live(found.id)
        if version is None:
            return []
        settings = self._host.settings
        release = live_release(settings, settings.projects[found.project], found.id, found.branch, version)
        config = await read_config(release, self._host)
        return [
            OperationShape(
                app=app.name, name=item.name, role=item.role, start=item.start, stop=item.stop or "",
                timeout_seconds=int(item.timeout_seconds or DEFAULT_SECONDS),
            ) for app in config.applications for item in app.operations
        ]
