"""What the API needs of the daemon: reads and entry points, never Docker."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Protocol

from deployd.api.metrics import Figures
from deployd.api.shapes import (
    ActivityShape,
    CertificateShape,
    CollectShape,
    EntryShape,
    EnvironmentShape,
    LockedShape,
    MailShape,
    PassShape,
    PlanShape,
    ProjectShape,
    StatusShape,
    UseShape,
)
from deployd.output.sources import Wanted


class Lines(Protocol):
    """A log that is followed."""

    async def take(self) -> list[dict[str, Any]] | None:
        """Further lines, empty after a while of silence; None after the last one."""
        ...

    async def rest(self) -> list[dict[str, Any]]:
        """Further lines that are there already, without waiting; empty when there are no more."""
        ...

    def close(self) -> None: ...


class Bulk(Protocol):
    """The same where there is too much for a value of each line."""

    async def take(self) -> bytes | None: ...
    async def rest(self) -> bytes: ...
    def close(self) -> None: ...


class Board(Protocol):
    """What is."""

    async def status(self, *, with_environments: bool, with_names: bool) -> StatusShape:
        """
        Args:
            with_names: Reasons may name projects and environments.
        """
        ...

    async def not_ready(self) -> list[str]:
        """Why no push can be taken now; empty when it can."""
        ...

    async def projects(self) -> list[ProjectShape]: ...
    async def environments(self, project: str | None) -> list[EnvironmentShape]: ...
    async def addresses(self, project: str, environment: str) -> list[str]:
        """URLs of the routes that are live in an environment (machine name), in the order of the project's file."""
        ...

    def certificates(self) -> list[CertificateShape]: ...
    async def activities(
        self, projects: Sequence[str] | None, environment: str | None, state: str | None, limit: int,
    ) -> list[ActivityShape]:
        """Newest first, of these projects (None: of all), of an environment (machine name or branch)."""
        ...

    async def newest(self) -> list[ActivityShape]:
        """The newest activity of every environment."""
        ...

    async def activity(self, number: int) -> ActivityShape | None: ...
    async def journal(self, number: int) -> list[EntryShape]: ...
    def log(self, number: int, after: int) -> Lines: ...
    async def figures(self) -> Figures: ...
    async def access_log(self, project: str, environment: str, lines: int) -> Lines:
        """The last requests of an environment (machine name or branch), and those that come.

        Raises:
            NotFound: There is no such environment.
        """
        ...

    async def mails(self, project: str, environment: str) -> list[MailShape]:
        """The mails in the box of an environment (machine name or branch), newest first.

        Raises:
            NotFound: There is no such environment.
        """
        ...

    async def output(
        self, project: str, environment: str, wanted: Wanted, *, start: str, lines: int | None,
    ) -> Bulk:
        """What containers of an environment (machine name or branch) printed, and what they print.

        Args:
            start: No line that is older, as a place (`output/outputs.py`); empty: all.
            lines: The last ones only, and those that come.

        Raises:
            NotFound: There is no such environment.
        """
        ...

    async def uses(self, project: str | None, environment: str | None) -> list[UseShape]:
        """What parts of environments use now, of all, of a project, or of an environment (machine name or branch).

        Raises:
            NotFound: There is no such environment.
        """
        ...

    async def mail(self, project: str, environment: str, number: int) -> bytes:
        """One of them, byte for byte.

        Raises:
            NotFound: There is none.
        """
        ...


class Desk(Protocol):
    """What can be asked for. Each raises a DeployError when it cannot be done."""

    async def redeploy(self, project: str, environment: str, who: str) -> ActivityShape: ...
    async def rollback(
        self, project: str, environment: str, to: int | None, who: str, *, lock: bool | None = None,
    ) -> ActivityShape: ...
    async def lock(self, project: str, environment: str, reason: str, who: str) -> LockedShape: ...
    async def unlock(self, project: str, environment: str, who: str) -> LockedShape: ...
    async def cancel(self, activity: int, who: str) -> ActivityShape: ...
    async def make_pass(self, project: str, environment: str, who: str) -> PassShape: ...
    async def retry_undo(self, activity: int) -> ActivityShape: ...
    async def skip_undo(self, activity: int, who: str) -> ActivityShape: ...
    async def collectable(self, *, deleted: bool) -> CollectShape: ...
    async def collect(self, who: str, *, deleted: bool) -> CollectShape: ...
    async def plan(self, project: str, body: bytes) -> PlanShape:
        """What a push of a working tree would do, one line each."""
        ...
