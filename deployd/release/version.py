"""What is live in an environment, or was: enough to start it again without asking git, a registry or the clock."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

from deployd.environment.kept_variables import NO_VARIABLES, SeenVariables
from deployd.ids import ActivityId, CommitId, SlugKey
from deployd.plan import KeyParts, Live, LiveApp, LiveService

FIRST_UID = 10_000
"""What the containers of every project ran as, before each had a user of its own."""


@dataclass(frozen=True, slots=True)
class AppVersion:
    """An application as it was built and configured."""

    name: str
    slug: SlugKey
    tree: str
    image_id: str
    """Of the runtime, so that a rollback gets the one of that time."""
    parts: KeyParts
    running: str
    workers: tuple[str, ...] = ()
    """Of which there is a container each; versions from before this was kept name none."""
    made_by: ActivityId | None = None
    """The deployment whose containers these are, when it was not that of the version: nothing that they see has changed
    since."""
    instances: int = 1
    """How often it runs, side by side."""

    @property
    def webs(self) -> tuple[str, ...]:
        """Its parts that visitors are led to, one for each instance; the first one is called as itself."""
        return (self.name, *(instance_part(self.name, number) for number in range(2, self.instances + 1)))

    @property
    def own_parts(self) -> tuple[str, ...]:
        return (*self.webs, *self.workers)


@dataclass(frozen=True, slots=True)
class ServiceVersion:
    name: str
    type: str
    image_id: str
    digest: str
    ready_seconds: float | None = None
    """How long it took when it was last made anew; None: it never was."""


@dataclass(frozen=True, slots=True)
class Version:
    """Everything that one deployment made live."""

    activity: ActivityId
    """Whose containers these are."""
    commit: CommitId
    apps: tuple[AppVersion, ...]
    services: tuple[ServiceVersion, ...]
    routes: tuple[str, ...]
    """URLs."""
    uid: int = FIRST_UID
    """Number of the user (and group) that its containers run as; versions from before each project had one lack it."""
    variables: SeenVariables = NO_VARIABLES
    """Which of those that people set it was deployed with: its containers are made with these, whenever they are."""

    @property
    def user(self) -> str:
        """`uid:gid`"""
        return f"{self.uid}:{self.uid}"

    def as_live(self) -> Live:
        """The same, as the plan compares it."""
        return Live(
            {app.name: LiveApp(app.slug, app.parts, app.running, app.instances) for app in self.apps},
            {item.name: LiveService(item.type, item.digest, item.ready_seconds) for item in self.services},
            self.routes,
        )

    def with_seconds(self, measured: Mapping[str, float], before: Version | None) -> Version:
        """The same, with how long its services took, now or earlier."""
        known = {item.name: item.ready_seconds for item in before.services} if before else {}
        return replace(self, services=tuple(
            replace(item, ready_seconds=measured.get(item.name, known.get(item.name, item.ready_seconds)))
            for item in self.services
        ))

    def with_homes(self, kept: Mapping[str, ActivityId]) -> Version:
        """The same, with the applications whose containers are those of an earlier deployment: {application: which}."""
        return replace(self, apps=tuple(replace(app, made_by=kept.get(app.name, app.made_by)) for app in self.apps))

    def home(self, part: str) -> ActivityId:
        """Whose containers an application has, or a worker."""
        app = self.app_of(part)
        return app.made_by if app is not None and app.made_by is not None else self.activity

    def kept_parts(self) -> dict[str, frozenset[str]]:
        """{number of an earlier deployment: applications and workers of this version that are in its containers}"""
        found: dict[str, frozenset[str]] = {}
        for app in self.apps:
            if app.made_by is not None:
                home = str(app.made_by)
                found[home] = found.get(home, frozenset()) | set(app.own_parts)
        return found

    def app_of(self, part: str) -> AppVersion | None:
        """The application that a part is, or is a worker of."""
        return next((app for app in self.apps if part in app.own_parts), None)

    def webs_of(self, app: str) -> tuple[str, ...]:
        """The parts of an application that visitors are led to."""
        found = self.app(app)
        return found.webs if found is not None else (app,)

    def app(self, name: str) -> AppVersion | None:
        return next((app for app in self.apps if app.name == name), None)


def is_same(one: Version, other: Version) -> bool:
    """Whether visitors and applications could not tell two versions apart. Pure."""
    return one.commit == other.commit and one.as_live() == other.as_live()


def instance_part(app: str, number: int) -> str:
    """What a further instance of an application is called among the parts of a version; no name has a dot."""
    return f"{app}.{number}"


def worker_part(app: str, worker: str) -> str:
    """What a worker is called among the parts of a version."""
    return f"{app}--{worker}"
