"""What the intake needs of the rest, as protocols."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

from deployd.errors import DeployError
from deployd.ids import ActivityId, CommitId, ProjectId
from deployd.intake.push import Push, Receipt
from deployd.intake.push_sessions import PushSessions
from deployd.settings import ProjectSettings


@dataclass(frozen=True, slots=True)
class Verdict:
    """Whether a commit may become a deployment, with all that people must read about it."""

    accepted: bool
    lines: tuple[str, ...]


class Checker(Protocol):
    async def check(
        self, project: ProjectSettings, commit: CommitId, branch: str, env: Mapping[str, str],
    ) -> Verdict:
        """Read and check the configuration at a commit that may still lie in git's quarantine."""
        ...

    async def unmerged(
        self, project: ProjectSettings, pushes: Sequence[Push], env: Mapping[str, str],
    ) -> DeployError | None:
        """Why one of several pushes must not come to a protected environment: its source does not have the commit."""
        ...


class Queue(Protocol):
    async def push(self, push: Push) -> Receipt:
        """Make an activity of a push. Durable when it returns."""
        ...

    async def refusal(self, project: ProjectId, pushes: Sequence[Push]) -> DeployError | None:
        """Why pushes that come together are more than the project may have."""
        ...

    async def stored(self, push: Push) -> bool:
        """Whether a branch is only stored: nothing of it is deployed, and nothing need be right."""
        ...


class Following(Protocol):
    """The lines of a running activity, as they come."""

    @property
    def after(self) -> int:
        """Number of the last line that was taken."""
        ...

    async def take(self) -> list[str] | None:
        """Further lines, empty after a while of silence; None when the activity has ended and all is told."""
        ...

    def close(self) -> None:
        """No further lines are wanted."""
        ...


class Logs(Protocol):
    def follow(self, activity: ActivityId, after: int = 0) -> Following:
        """
        Args:
            after: Number of the last line that is known already.
        """
        ...

    async def project_of(self, activity: ActivityId) -> ProjectId | None:
        """None: there is no such activity."""
        ...

    async def succeeded(self, activity: ActivityId) -> bool: ...

    @property
    def stopping(self) -> bool:
        """The daemon stops: a follower's end is not the activity's."""
        ...


class Repositories(Protocol):
    async def path(self, project: ProjectSettings) -> Path:
        """The bare repository of a project, made when it is not there."""
        ...


@dataclass(frozen=True, slots=True)
class Intake:
    """Everything that the handlers of pushes reach."""

    projects: Mapping[ProjectId, ProjectSettings]
    repositories: Repositories
    checker: Checker
    queue: Queue
    logs: Logs
    sessions: PushSessions = field(default_factory=PushSessions)
