"""Whether a push can be stored: what a project's repository may take, and what the disk has left."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Callable
from pathlib import Path

import structlog

from deployd.confined.trees import size_of
from deployd.errors import DeployError
from deployd.ids import ProjectId
from deployd.intake.git_transfer import NoRoom, Service
from deployd.intake.ports import Repositories
from deployd.settings import ProjectSettings
from deployd.units import MEGABYTE

log = structlog.get_logger()

LEAST_FREE_BYTES = 1_000_000
"""With less git could not even begin to take a push."""
COUNTED_SECONDS = 10.0
"""How long what was counted of a repository is good."""


class RepositoryRoom:
    def __init__(self, repositories: Repositories, share_bytes: Callable[[ProjectId], int]) -> None:
        """
        Args:
            share_bytes: What the repository of a project may take.
        """
        self._repositories = repositories
        self._share_bytes = share_bytes
        self._sizes = _Sizes()

    async def refuse_without(self, project: ProjectSettings, service: Service) -> None:
        """
        Raises:
            NoRoom: A push could not be stored, or the repository has all that it may have.
        """
        missing = await self._missing(project, service)
        if missing is None:
            return
        why, hint = missing
        log.error("git_refused", project=project.id, reason=why)
        raise NoRoom(
            f"cannot take a push to {project.id}: {why}\n"
            f"nothing was changed and what is live goes on; {hint} and push again\n",
        )

    async def _missing(self, project: ProjectSettings, service: Service) -> tuple[str, str] | None:
        """Why there is no room, and what to do about it."""
        share = self._share_bytes(project.id)
        try:
            repository = await self._repositories.path(project)
            disk = await asyncio.to_thread(os.statvfs, repository)
            if service is not Service.PUSH:
                return None
            if disk.f_bavail * disk.f_frsize < LEAST_FREE_BYTES:
                return f"the disk of {repository} is full", "make room on the disk"
            if await self._sizes.of(repository) > share:
                why = f"its repository takes more than its share of {share // MEGABYTE} MB"
                return why, "have the operator raise shares.repository_mb"
        except (OSError, DeployError) as error:
            return f"its repository cannot be made: {error}", "make room on the disk"
        return None


class _Sizes:
    """What repositories take. To count is a program, and a push asks twice within a moment."""

    def __init__(self) -> None:
        self._known: dict[Path, tuple[float, int]] = {}

    async def of(self, repository: Path) -> int:
        now = asyncio.get_running_loop().time()
        counted, size = self._known.get(repository, (-COUNTED_SECONDS, 0))
        if now - counted >= COUNTED_SECONDS:
            size = await size_of(repository)
            self._known[repository] = (now, size)
        return size
