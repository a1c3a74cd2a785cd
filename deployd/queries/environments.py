"""Environments: what is live in each, what it does, and what is not well with it."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace

from deployd.access.errors import NotFound
from deployd.activity.journal import read_result
from deployd.environment.naming import environment_type
from deployd.environment.routes import domains_of
from deployd.ids import ActivityId, EnvironmentId, EnvironmentName, ProjectId
from deployd.queries.live_versions import LiveVersions
from deployd.queries.projects import find_project
from deployd.queries.times import iso
from deployd.release.version import Version
from deployd.settings import Settings
from deployd.state import activities, answers, environments, locks, tickets
from deployd.state.activities import Activity
from deployd.state.answers import WrongAnswer
from deployd.state.environments import Environment
from deployd.state.locks import Lock
from deployd.state.store import Store

Killed = Callable[[EnvironmentId], Sequence[str]]
"""What the kernel killed in an environment within the last hour, a sentence for each part."""


@dataclass(frozen=True, slots=True, kw_only=True)
class LockShape:
    """Why an environment keeps what is live: pushes are built, and wait."""

    who: str
    reason: str
    """In their own words; may be empty."""
    since: str
    """ISO 8601, UTC."""
    until: str = ""
    """When it ends by itself; empty: somebody has to end it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class EnvironmentShape:
    project: str
    name: str
    branch: str
    type: str
    """`production`, `staging` or `development`."""
    state: str
    """`live`, `deploying`, `failed` (the last activity failed, what was live goes on) or `new` (nothing is live)."""
    url: str
    commit: str
    subject: str = ""
    """The first line of the commit's message."""
    author: str = ""
    activity: int | None
    """Whose version is live."""
    since: str
    """When it became live: ISO 8601, UTC; empty when nothing is."""
    doing: int | None = None
    """The activity that waits or runs; one that is held by the lock does not count."""
    lock: LockShape | None = None
    answers: tuple[str, ...] = ()
    """What visitors get that is worse than when it became live, a sentence for each URL; seen after a way back, and
    gone when they get it no more."""
    protected: bool = False
    """It takes only what is merged, with a ticket."""
    ticket: int | None = None
    """The newest that is open there."""
    killed: tuple[str, ...] = ()
    """Processes that the kernel killed within the last hour because their memory was full, a sentence for each part."""


class EnvironmentQueries:
    def __init__(self, store: Store, settings: Settings, killed: Killed) -> None:
        self._store = store
        self._settings = settings
        self._killed = killed
        self._versions = LiveVersions(store)

    async def all(self, project: str | None = None) -> list[EnvironmentShape]:
        """Of one project or of all that the settings name."""
        rows = await self._store.read(lambda db: environments.list_all(db, project))
        await self._versions.learn(row.live_activity for row in rows)
        newest = {item.environment: item for item in await self._store.read(activities.newest_of_each)}
        locked = {item.environment: item for item in await self._store.read(locks.list_all)}
        wrong = _by_environment(await self.wrong_answers())
        open_tickets = {item.environment: item.id for item in await self._store.read(tickets.open_ones)}
        return [
            replace(self._shape(row, newest.get(row.id), locked.get(row.id), wrong.get(row.id, ())),
                    ticket=open_tickets.get(row.id))
            for row in rows if row.project in self._settings.projects
        ]

    async def find(self, project: str, environment: str) -> Environment:
        """By machine name or branch.

        Raises:
            NotFound: The project has no such environment.
        """
        for found in await self._store.read(lambda db: environments.list_all(db, ProjectId(project))):
            if environment in (found.name, found.branch):
                return found
        raise NotFound(
            f"the project {project} has no environment {environment}",
            hint=f"`deployd environments --project {project}` shows what there is",
        )

    async def find_configured(self, project: str, environment: str) -> Environment:
        """An environment with which something is to be done: its project stands in the settings still.

        Raises:
            NotFound: There is no such project, or it has no such environment.
        """
        return await self.find(find_project(self._settings, project).id, environment)

    async def addresses(self, project: str, environment: str) -> list[str]:
        """URLs of the routes that are live in an environment (machine name), in the order of the project's file."""
        text = await self._store.read(
            lambda db: environments.live_version(db, EnvironmentId(ProjectId(project), EnvironmentName(environment))),
        )
        return list(read_result(text, Version).routes) if text else []

    async def wrong_answers(self) -> Sequence[WrongAnswer]:
        """What visitors of all environments get that is worse than when it became live."""
        return await self._store.read(answers.wrong_ones)

    def _shape(
        self, row: Environment, newest: Activity | None, lock: Lock | None, wrong: tuple[str, ...],
    ) -> EnvironmentShape:
        project = self._settings.projects[row.project]
        live = self._versions.of(row.live_activity)
        doing = newest.id if newest and newest.state in activities.OPEN and not newest.held else None
        default = domains_of(self._settings, project, row.id, row.branch).default
        return EnvironmentShape(
            project=row.project, name=row.name, branch=row.branch, type=environment_type(project, row.branch),
            state=_state(doing, newest, live.commit), url=live.url or f"http://{default}/", commit=live.commit,
            subject=live.subject, author=live.author,
            activity=row.live_activity, since=iso(row.live_since), doing=doing,
            lock=lock_shape(lock) if lock else None, answers=wrong,
            killed=tuple(self._killed(row.id)), protected=project.protection_of(row.branch) is not None,
        )


def lock_shape(lock: Lock) -> LockShape:
    return LockShape(who=lock.who, reason=lock.reason, since=lock.at.isoformat(), until=iso(lock.until))


def _state(doing: ActivityId | None, newest: Activity | None, commit: str) -> str:
    if doing is not None:
        return "deploying"
    if newest is not None and newest.state == "failed":
        return "failed"
    return "live" if commit else "new"


def _by_environment(found: Sequence[WrongAnswer]) -> Mapping[EnvironmentId, tuple[str, ...]]:
    said: dict[EnvironmentId, tuple[str, ...]] = {}
    for one in found:
        said[one.environment] = (*said.get(one.environment, ()), one.said)
    return said
