"""Source operations that the files of a branch name: commands that change its code."""

from __future__ import annotations

from dataclasses import dataclass
from urllib.parse import urlsplit

from deployd.deployment.source_operation import protected
from deployd.queries.environments import EnvironmentQueries
from deployd.release.configuration import config_of
from deployd.release.ports import Host
from deployd.settings import ProjectSettings


@dataclass(frozen=True, slots=True, kw_only=True)
class SourceOperationShape:
    """A command that changes the code of a branch."""

    name: str
    commands: dict[str, str]
    """{application: what it runs}, one after the other in this order."""
    pushes_to: str
    """Where what it commits is pushed: `deployd`, or the address of the project's remote."""
    refused: str
    """Why it cannot be run there; empty: it can."""


class SourceOperationQueries:
    def __init__(self, host: Host, environments: EnvironmentQueries) -> None:
        self._host = host
        self._environments = environments

    async def all(self, project: str, environment: str) -> list[SourceOperationShape]:
        """Of an environment (machine name or branch), as the newest commit of its branch says.

        Raises:
            NotFound: There is no such environment.
            ConfigurationRefused: The files of its branch cannot be read.
        """
        found = await self._environments.find_configured(project, environment)
        of = self._host.settings.projects[found.project]
        tip = await self._host.code.tip(of.id, found.branch)
        if tip is None:
            return []
        config = await config_of(of, tip, self._host)
        names = dict.fromkeys(name for app in config.applications for name in app.source_operations)
        refused, pushes_to = why_refused(of, found.branch), of.remote.url if of.remote else ""
        return [
            SourceOperationShape(
                name=name, pushes_to=_shown(pushes_to) or "deployd", refused=refused,
                commands={app.name: app.source_operations[name] for app in config.applications
                          if name in app.source_operations},
            ) for name in names
        ]


def why_refused(project: ProjectSettings, branch: str) -> str:
    """Why what a source operation commits could not be pushed to a branch; empty: it could, as far as is known."""
    if project.protection_of(branch) is not None:
        return protected(branch, project.source_of(branch)).what
    remote = project.remote
    if remote is None:
        return ""
    parts = urlsplit(remote.url)
    if parts.scheme in ("http", "https") and remote.token is None and not parts.password:
        return f"the code is at {_shown(remote.url)}, and the project's remote has no token to push there with"
    return ""


def _shown(url: str) -> str:
    parts = urlsplit(url)
    return parts._replace(netloc=parts.netloc.rpartition("@")[2]).geturl() if parts.scheme else url
