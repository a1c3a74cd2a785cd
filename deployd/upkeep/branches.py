"""The branches of projects as they are now, and as their remotes had them at the last look."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Protocol

from deployd.environment.branches import is_of_a_machine, oddity
from deployd.ids import CommitId, ProjectId
from deployd.settings import ProjectSettings

Tips = Mapping[str, CommitId]
"""{branch: its newest commit}"""


class Code(Protocol):
    """The calls on repositories that a look needs."""

    async def fetch(self, project: ProjectSettings) -> None: ...
    async def branches(self, project: ProjectId) -> Tips: ...


class Branches:
    """Of all projects. What a remote had is kept in one small file for each of them."""

    def __init__(self, projects: Mapping[ProjectId, ProjectSettings], code: Code, folder: Path) -> None:
        self.projects = projects
        self._code = code
        self._folder = folder

    async def look(self, project: ProjectSettings) -> Tips:
        """Those that can have an environment, as they are now.

        Raises:
            DeployError, Transient: The remote or the repository does not answer.
        """
        if project.remote is not None:
            await self._code.fetch(project)
        tips = {branch: tip for branch, tip in (await self._code.branches(project.id)).items() if not oddity(branch)}
        if project.remote is not None:
            tips = {branch: tip for branch, tip in tips.items() if not is_of_a_machine(branch)}
        return tips

    async def known(self, project: ProjectSettings) -> Mapping[str, str] | None:
        """What the remote had at the last look: nothing where there is none, None when it has never been looked at."""
        return await asyncio.to_thread(self._read, project.id) if project.remote is not None else {}

    async def remember(self, project: ProjectSettings, tips: Tips) -> None:
        """Write down what a remote has, for the next look."""
        if project.remote is not None:
            await asyncio.to_thread(self._write, project.id, tips)

    def _read(self, project: ProjectId) -> dict[str, str] | None:
        try:
            found: dict[str, str] = json.loads((self._folder / f"{project}.json").read_text())
        except (FileNotFoundError, ValueError):
            return None
        return found

    def _write(self, project: ProjectId, tips: Tips) -> None:
        self._folder.mkdir(parents=True, exist_ok=True)
        new = self._folder / f"{project}.json.new"
        new.write_text(json.dumps(tips))
        new.rename(self._folder / f"{project}.json")
