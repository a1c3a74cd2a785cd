"""A deployment as its steps see it: the activity's row, the project, and the results of the steps before."""

from __future__ import annotations

from dataclasses import dataclass

from deployd.activity.journal import Journal
from deployd.deployment.version import Version
from deployd.engine.names import Names
from deployd.environment.naming import EnvironmentType, environment_type
from deployd.ids import ActivityId, CommitId, EnvironmentName
from deployd.plan import Plan
from deployd.settings import ProjectSettings
from deployd.state.activities import Activity


@dataclass(frozen=True, slots=True)
class Fetched:
    commit: CommitId


@dataclass(frozen=True, slots=True)
class Planned:
    """What validate decided; every later step goes by it."""

    version: Version
    before: Version | None
    """What was live; None for a new environment."""
    plan: Plan
    urls: tuple[str, ...]
    """Where people look at it, the primary one first."""


@dataclass(frozen=True, slots=True)
class Deployment:
    """Everything a step knows. It is made anew for each step, from the rows alone."""

    activity: Activity
    project: ProjectSettings
    instance: str
    journal: Journal

    @property
    def id(self) -> ActivityId:
        return self.activity.id

    @property
    def environment(self) -> EnvironmentName:
        return self.activity.environment

    @property
    def branch(self) -> str:
        return self.activity.branch

    @property
    def type(self) -> EnvironmentType:
        return environment_type(self.project, self.branch)

    @property
    def key(self) -> str:
        """What the router calls the environment."""
        return f"{self.project.id}/{self.environment}"

    @property
    def names(self) -> Names:
        return Names(self.instance, self.project.id, self.environment)

    @property
    def commit(self) -> CommitId:
        return self.journal.result("fetch", Fetched).commit

    @property
    def user(self) -> str:
        """Who its containers run as: `uid:gid`."""
        return self.planned.version.user

    @property
    def planned(self) -> Planned:
        return self.journal.result("read_and_plan", Planned)
