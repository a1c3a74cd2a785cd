"""Environments: what is live in each, what it does, and what is not well with it."""

from __future__ import annotations

from collections.abc import Callable, Container, Mapping, Sequence
from dataclasses import dataclass

from deployd.access.errors import NotFound
from deployd.activity.journal import read_result
from deployd.environment.naming import environment_type, ssh_user
from deployd.environment.routes import domains_of
from deployd.ids import ActivityId, EnvironmentId, EnvironmentName, ProjectId
from deployd.queries.bad_releases import BadReleaseShape, bad_release_shape
from deployd.queries.live_versions import LiveVersions
from deployd.queries.projects import find_project
from deployd.queries.times import iso
from deployd.release.version import Version
from deployd.settings import ProjectSettings, Settings
from deployd.state import activities, answers, bad_releases, environments, locks, tickets
from deployd.state.activities import Activity
from deployd.state.answers import WrongAnswer
from deployd.state.bad_releases import BadRelease
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
    """`live`, `deploying`, `paused` (its next visitor wakes it), `inactive` (it is activated by hand), `failed` (the
    last activity failed, what was live goes on) or `new` (nothing is live)."""
    url: str
    commit: str
    subject: str = ""
    """The first line of the commit's message."""
    author: str = ""
    activity: int | None
    """Whose version is live."""
    since: str
    """When it became live: ISO 8601, UTC; empty when nothing is."""
    title: str = ""
    """What people call it besides its branch."""
    parent: str = ""
    """The branch of another environment of the project; empty: it has none."""
    rested: str = ""
    """Since when it is paused or inactive: ISO 8601, UTC; empty when it is active."""
    visited: str = ""
    """When somebody came last, to the minute, as far as it is known."""
    doing: int | None = None
    """The activity that waits or runs; one that is held by the lock does not count."""
    lock: LockShape | None = None
    answers: tuple[str, ...] = ()
    """What visitors get that is worse than when it became live, a sentence for each URL; seen after a way back, and
    gone when they get it no more."""
    ssh: str = ""
    """Where a shell of it is: `ssh://main.shop@deploy.example.com:2222`; empty: nobody listens for SSH."""
    bad_release: BadReleaseShape | None = None
    """What is live was found bad, or what came back for such a release is live; gone with the next version."""
    protected: bool = False
    """It takes only what is merged, with a ticket."""
    ticket: int | None = None
    """The newest that is open there."""
    killed: tuple[str, ...] = ()
    """Processes that the kernel killed within the last hour because their memory was full, a sentence for each part."""


@dataclass(frozen=True, slots=True)
class _Known:
    """What other tables say of an environment."""

    newest: Activity | None
    lock: Lock | None
    wrong: tuple[str, ...]
    bad: BadRelease | None
    parent: str
    ticket: int | None = None


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
        bad = {item.environment: item for item in await self.bad_releases()}
        branches = {(row.project, row.branch) for row in rows}
        open_tickets = {item.environment: item.id for item in await self._store.read(tickets.open_ones)}
        return [
            self._shape(row, _Known(
                newest.get(row.id), locked.get(row.id), wrong.get(row.id, ()), bad.get(row.id),
                parent_of(row, self._settings.projects[row.project], branches), open_tickets.get(row.id),
            ))
            for row in rows if row.project in self._settings.projects
        ]

    async def shape_of(self, environment: EnvironmentId) -> EnvironmentShape:
        """
        Raises:
            NotFound: It was deleted meanwhile.
        """
        found = [item for item in await self.all(environment.project) if item.name == environment.name]
        if not found:
            raise NotFound(f"the project {environment.project} has no environment {environment.name}")
        return found[0]

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

    async def bad_releases(self) -> Sequence[BadRelease]:
        """Those that are live, and those for which an earlier version came back that is."""
        return await self._store.read(bad_releases.current)

    def _shape(self, row: Environment, known: _Known) -> EnvironmentShape:
        project = self._settings.projects[row.project]
        live = self._versions.of(row.live_activity)
        newest = known.newest
        doing = newest.id if newest and newest.state in activities.OPEN and not newest.held else None
        return EnvironmentShape(
            project=row.project, name=row.name, branch=row.branch, type=environment_type(project, row.branch),
            title=row.title, parent=known.parent, rested=iso(row.rested_at), visited=iso(row.visited_at),
            state=_state(row, doing, newest), url=live.url or self._own_url(row), commit=live.commit,
            subject=live.subject, author=live.author,
            activity=row.live_activity, since=iso(row.live_since), doing=doing,
            lock=lock_shape(known.lock) if known.lock else None, answers=known.wrong,
            bad_release=bad_release_shape(known.bad) if known.bad else None,
            killed=tuple(self._killed(row.id)), ssh=self._ssh(row), ticket=known.ticket,
            protected=project.protection_of(row.branch) is not None,
        )

    def _own_url(self, row: Environment) -> str:
        """Where it will answer."""
        return f"http://{domains_of(self._settings, self._settings.projects[row.project], row.id, row.branch).default}/"

    def _ssh(self, row: Environment) -> str:
        reached = self._settings.ssh_reached_at
        if reached is None:
            return ""
        host, port = reached
        return f"ssh://{ssh_user(row.id, row.branch)}@{f'[{host}]' if ':' in host else host}:{port}"


def parent_of(row: Environment, project: ProjectSettings, branches: Container[tuple[str, str]]) -> str:
    """The branch of the parent: that which somebody said, as long as it is there, else production.

    Args:
        branches: (project, branch) of all environments.
    """
    if row.branch == project.production:
        return ""
    said = (row.project, row.parent) in branches and row.parent
    return said or (project.production if (row.project, project.production) in branches else "")


def lock_shape(lock: Lock) -> LockShape:
    return LockShape(who=lock.who, reason=lock.reason, since=lock.at.isoformat(), until=iso(lock.until))


def _state(row: Environment, doing: ActivityId | None, newest: Activity | None) -> str:
    if doing is not None:
        return "deploying"
    if row.rest:
        return row.rest
    if newest is not None and newest.state == "failed":
        return "failed"
    return "live" if row.live_activity is not None else "new"


def _by_environment(found: Sequence[WrongAnswer]) -> Mapping[EnvironmentId, tuple[str, ...]]:
    said: dict[EnvironmentId, tuple[str, ...]] = {}
    for one in found:
        said[one.environment] = (*said.get(one.environment, ()), one.said)
    return said
