"""What is live in an environment, or was: enough to start it again without asking git, a registry or the clock."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

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

    @property
    def user(self) -> str:
        """As Docker wants it."""
        return f"{self.uid}:{self.uid}"

    def as_live(self) -> Live:
        """The same, as the plan compares it."""
        return Live(
            {app.name: LiveApp(app.slug, app.parts, app.running) for app in self.apps},
            {item.name: LiveService(item.type, item.digest, item.ready_seconds) for item in self.services},
            self.routes,
        )

    def with_seconds(self, measured: Mapping[str, float], before: Version | None) -> Version:
        """The same, with how long its services took, now or earlier."""
        known = {item.name: item.ready_seconds for item in before.services} if before else {}
        return replace(self, services=tuple(
            replace(item, ready_seconds=measured.get(item.name, known.get(item.name))) for item in self.services
        ))

    def app(self, name: str) -> AppVersion | None:
        return next((app for app in self.apps if app.name == name), None)


def worker_part(app: str, worker: str) -> str:
    """What a worker is called among the parts of a version."""
    return f"{app}--{worker}"
