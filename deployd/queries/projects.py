"""Projects: those that the settings name."""

from __future__ import annotations

from dataclasses import dataclass

from deployd.access.errors import NotFound
from deployd.git.mirror import without_user
from deployd.ids import ProjectId
from deployd.settings import ProjectSettings, Settings
from deployd.state import environments
from deployd.state.store import Store


@dataclass(frozen=True, slots=True, kw_only=True)
class ProjectShape:
    id: str
    title: str
    default_branch: str
    remote: str
    """Address of the repository that is fetched; empty when code is pushed to deployd itself."""
    git: str
    """Address to push to."""
    ssh: str
    """The same over SSH; empty: nobody listens for it."""
    environments: int


class ProjectQueries:
    def __init__(self, store: Store, settings: Settings) -> None:
        self._store = store
        self._settings = settings

    async def all(self) -> list[ProjectShape]:
        """In the order of the settings."""
        counts = await self._store.read(environments.count_by_project)
        address = self._settings.public_url or f"http://{self._settings.listen}"
        return [
            ProjectShape(
                id=project.id, title=project.title or project.id, default_branch=project.default_branch,
                remote=without_user(project.remote.url) if project.remote else "",
                git=f"{address}/git/{project.id}.git", ssh=self._ssh(project.id),
                environments=counts.get(project.id, 0),
            )
            for project in self._settings.projects.values()
        ]

    def _ssh(self, project: str) -> str:
        where = self._settings.ssh_reached_at
        if where is None:
            return ""
        host = f"[{where[0]}]" if ":" in where[0] else where[0]
        return f"ssh://git@{host}:{where[1]}/{project}.git"


def find_project(settings: Settings, project: str) -> ProjectSettings:
    """
    Raises:
        NotFound: The settings name no such project.
    """
    found = settings.projects.get(ProjectId(project))
    if found is None:
        raise NotFound(f"there is no project {project}", hint="`deployd projects` shows what there is")
    return found
