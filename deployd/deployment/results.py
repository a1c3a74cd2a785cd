"""What steps leave in the journal for later ones."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime

from deployd.ids import ActivityId, CommitId, SlugKey
from deployd.plan import Plan
from deployd.release.version import Version
from deployd.router.table import Released


@dataclass(frozen=True, slots=True)
class ServicesUp:
    """Of `start_services`."""

    services: tuple[str, ...]
    replaced: tuple[str, ...] = ()
    """Those that are made anew when visitors are held."""
    new_owner: bool = False
    """The files of the environment's mounts belong to another user, and are given to the project's."""


@dataclass(frozen=True, slots=True)
class AppsUp:
    """Of `start_apps`."""

    containers: tuple[str, ...]
    """That were started."""
    kept: Mapping[str, ActivityId] = field(default_factory=dict)
    """{application that goes on in its containers: the deployment that made these}"""


@dataclass(frozen=True, slots=True)
class Replaced:
    """Of `replace_services`."""

    seconds: Mapping[str, float] = field(default_factory=dict)
    """{service: how long visitors would have missed it}"""
    apps: tuple[str, ...] = ()
    """Those that had to wait for it."""


@dataclass(frozen=True, slots=True)
class Fetched:
    commit: CommitId
    subject: str = ""
    """The first line of its message; what somebody wrote."""
    author: str = ""


@dataclass(frozen=True, slots=True)
class Planned:
    """What validate decided; every later step goes by it."""

    version: Version
    before: Version | None
    """What was live; None for a new environment."""
    plan: Plan
    urls: tuple[str, ...]
    """Where people look at it, the primary one first."""
    had_data: bool = False
    """There were files of mounts already: of an environment that was deleted, and whose branch came back."""


@dataclass(frozen=True, slots=True)
class Built:
    apps: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Packed:
    slugs: tuple[SlugKey, ...]


@dataclass(frozen=True, slots=True)
class Prepared:
    apps: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Frozen:
    held: bool
    """False: there was nobody to hold, or no hook that needs it, or the strategy is rolling."""


@dataclass(frozen=True, slots=True)
class HookRan:
    apps: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Taken:
    services: tuple[str, ...]
    """Empty: none was wanted, or there is nothing to copy."""
    files: int = 0
    size_bytes: int = 0
    seconds: float = 0.0
    mounts: tuple[str, ...] = ()

    @property
    def names(self) -> tuple[str, ...]:
        """What people call what is in it."""
        return (*self.services, *(f"the mount {folder}" for folder in self.mounts))


@dataclass(frozen=True, slots=True)
class Healthy:
    apps: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Switched:
    at: datetime
    released: Released


@dataclass(frozen=True, slots=True)
class PostDeployed:
    apps: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Retired:
    versions: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Deleted:
    containers: int
    volumes: int


@dataclass(frozen=True, slots=True)
class AskedBefore:
    """Of `ask_before_freeze`."""

    asked: bool
    """False: it could not be done yet, and is done right before the switch."""


@dataclass(frozen=True, slots=True)
class Watched:
    """Of `watch_release`."""

    verdict: str
    """`good`, `bad`, `overtaken` (something newer waits), `unknown`, or `unwatched`: nobody wanted it."""
    said: str = ""
    lines: tuple[str, ...] = ()
    """What a smoke test got."""
    stays: str = ""
    """Of a bad one: why the version before does not come back by itself."""
    back_to: ActivityId | None = None
    """Of a bad one: whose version comes back."""


@dataclass(frozen=True, slots=True)
class Judged:
    """It is not bad, as far as anybody knows."""
