"""What is live in an environment, or was: enough to start it again without asking git, a registry or the clock."""

from __future__ import annotations

from dataclasses import dataclass

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


@dataclass(frozen=True, slots=True)
class ServiceVersion:
    name: str
    type: str
    image_id: str
    digest: str


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

    @property
    def user(self) -> str:
        """As Docker wants it."""
        return f"{self.uid}:{self.uid}"

    def as_live(self) -> Live:
        """The same, as the plan compares it."""
        return Live(
            {app.name: LiveApp(app.slug, app.parts, app.running) for app in self.apps},
            {service.name: LiveService(service.type, service.digest) for service in self.services},
            self.routes,
        )

    def app(self, name: str) -> AppVersion | None:
        return next((app for app in self.apps if app.name == name), None)


def worker_part(app: str, worker: str) -> str:
    """What a worker is called among the parts of a version."""
    return f"{app}--{worker}"
