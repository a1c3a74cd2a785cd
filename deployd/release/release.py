"""A release: one version in its environment, with what is needed to run it, look at it, repair it and remove it. Pure.

    Environment                what it is called, everywhere; there may be nothing in it
       └ Release               a version in it: live, about to be, or the one before

Made from what is kept of a version alone, so whoever keeps an environment needs no activity to speak of it.
"""

from __future__ import annotations

from dataclasses import dataclass

from deployd.engine.names import Names
from deployd.environment.naming import EnvironmentType, environment_type
from deployd.ids import ActivityId, CommitId, EnvironmentId
from deployd.release.version import Version
from deployd.settings import ProjectSettings, Settings


@dataclass(frozen=True, slots=True)
class Environment:
    """One environment of a project, on this installation."""

    instance: str
    """Of deployd; what it makes in an engine is labelled with it."""
    project: ProjectSettings
    environment: EnvironmentId
    branch: str

    @property
    def type(self) -> EnvironmentType:
        return environment_type(self.project, self.branch)

    @property
    def key(self) -> str:
        """What the router calls it."""
        return str(self.environment)

    @property
    def names(self) -> Names:
        return Names(self.instance, self.environment)


@dataclass(frozen=True, slots=True)
class Release(Environment):
    """A version in its environment."""

    version: Version
    awaits_hook: bool = False
    """Its deploy hook is still to run: until it has, the application's start is not taken for its own."""

    @property
    def id(self) -> ActivityId:
        """The deployment that makes it, or made it."""
        return self.version.activity

    @property
    def commit(self) -> CommitId:
        return self.version.commit

    @property
    def user(self) -> str:
        """Who its containers run as: `uid:gid`."""
        return self.version.user

    def home(self, part: str) -> ActivityId:
        """Whose containers an application or a worker has: those of an earlier deployment, when they are kept."""
        return self.version.home(part)

    def container(self, role: str, part: str) -> str:
        """The name of the container of an application or a worker: `app`, `web` or `worker`."""
        return self.names.container(self.home(part), role, part)

    def webs(self, app: str) -> tuple[str, ...]:
        """The parts of an application that visitors are led to, one for each of its instances."""
        return self.version.webs_of(app)


def live_release(settings: Settings, project: ProjectSettings, environment: EnvironmentId, branch: str,
                 version: Version) -> Release:
    """What is live in an environment."""
    return Release(settings.instance, project, environment, branch, version)
