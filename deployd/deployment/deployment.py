"""A deployment as its steps see it: the activity's row, the project, and the results of the steps before."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

from deployd.activity.journal import Journal
from deployd.deployment.mode import Mode
from deployd.deployment.results import AppsUp, Fetched, Planned, Replaced, Taken
from deployd.deployment.reuse import zone_of
from deployd.engine.names import Names
from deployd.environment.naming import EnvironmentType
from deployd.ids import ActivityId, CommitId, EnvironmentId
from deployd.release.release import Environment, Release
from deployd.release.version import Version
from deployd.settings import ProjectSettings
from deployd.state.activities import Activity


@dataclass(frozen=True, slots=True)
class Deployment:
    """Everything a step knows. It is made anew for each step, from the rows alone."""

    activity: Activity
    project: ProjectSettings
    instance: str
    journal: Journal
    mode: Mode
    """How its kind goes about it."""
    kept: Mapping[str, ActivityId] | None = None
    """{application that goes on in its containers: the deployment that made these}; None: as the journal says."""

    @property
    def id(self) -> ActivityId:
        return self.activity.id

    @property
    def environment(self) -> EnvironmentId:
        return self.activity.environment

    @property
    def branch(self) -> str:
        return self.activity.branch

    @property
    def is_protected(self) -> bool:
        """It takes only what is merged, and what its gate lets through."""
        return self.project.protection_of(self.branch) is not None

    @property
    def zone(self) -> str:
        """Whose builds it shares a cache and results with."""
        return zone_of(self.project, self.branch)

    @property
    def type(self) -> EnvironmentType:
        return self.place.type

    @property
    def key(self) -> str:
        """What the router calls the environment."""
        return self.place.key

    @property
    def names(self) -> Names:
        return self.place.names

    @property
    def taken(self) -> Taken | None:
        """Its snapshot; None: there is none, or it was begun and is not whole."""
        try:
            return self.journal.result("take_snapshot", Taken)
        except LookupError:
            return None

    @property
    def copied_services(self) -> tuple[str, ...]:
        """Those of which there is a whole snapshot."""
        return self.taken.services if self.taken else ()

    @property
    def place(self) -> Environment:
        return Environment(self.instance, self.project, self.environment, self.branch)

    @property
    def release(self) -> Release:
        """The one that it makes, as far as it is made."""
        return Release(
            self.instance, self.project, self.environment, self.branch, self.planned.version.with_homes(self._kept),
            awaits_hook=self.planned.plan.run_deploy_hook,
        )

    @property
    def before(self) -> Release | None:
        """What was live when it was planned; None for a new environment."""
        return None if self.planned.before is None else replace(
            self.release, version=self.planned.before, awaits_hook=False,
        )

    @property
    def commit(self) -> CommitId:
        return self.journal.result("fetch", Fetched).commit

    @property
    def user(self) -> str:
        """Who its containers run as: `uid:gid`."""
        return self.release.user

    @property
    def planned(self) -> Planned:
        return self.journal.result("read_and_plan", Planned)

    @property
    def version(self) -> Version:
        """As it goes live, with what its steps found out."""
        try:
            measured = self.journal.result("replace_services", Replaced).seconds
        except LookupError:
            measured = {}
        return self.release.version.with_seconds(measured, self.planned.before)

    def home(self, part: str) -> ActivityId:
        """Whose containers an application or a worker has: those of an earlier deployment, when they are kept."""
        return self.release.home(part)

    def container(self, role: str, part: str) -> str:
        """The name of the container of an application or a worker: `app`, `web` or `worker`."""
        return self.release.container(role, part)

    @property
    def _kept(self) -> Mapping[str, ActivityId]:
        if self.kept is not None:
            return self.kept
        try:
            return self.journal.result("start_apps", AppsUp).kept
        except LookupError:
            return {}
