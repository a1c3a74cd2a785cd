"""Environments that go to rest and come back: activate, deactivate, pause, wake. An activity is made of each."""

from __future__ import annotations

import sqlite3
from typing import ClassVar

from deployd.access.errors import NotFound
from deployd.commands.activities import read_activity
from deployd.commands.environments import ProductionStays, refuse_overtaken
from deployd.deployment import kinds
from deployd.deployment.kinds import DeploymentKind
from deployd.deployment.requests import Request, Requests
from deployd.deployment.stored import too_many_active
from deployd.deployment.wake import Inactive
from deployd.environment.branches import oddity
from deployd.environment.naming import Source, environment_type
from deployd.errors import DeployError
from deployd.ids import ActivityId, CommitId
from deployd.queries.activities import ActivityShape
from deployd.queries.environments import EnvironmentQueries
from deployd.queries.projects import find_project
from deployd.queries.versions import NothingLive
from deployd.release.ports import Host
from deployd.settings import ProjectSettings
from deployd.state import activities, environments
from deployd.state.activities import Trigger
from deployd.state.environments import Environment
from deployd.state.rests import AWAKE, INACTIVE, PAUSED
from deployd.state.store import Store


class AlreadySo(DeployError):
    """The environment is what it was to become."""

    code: ClassVar[str] = "already-so"


class Busy(DeployError):
    """Something waits or runs in the environment."""

    code: ClassVar[str] = "environment-busy"


class RestCommands:
    def __init__(self, store: Store, host: Host, known: EnvironmentQueries, requests: Requests) -> None:
        self._store = store
        self._host = host
        self._known = known
        self._requests = requests

    async def activate(self, project: str, environment: str, who: str, *, seen: int | None = None) -> ActivityShape:
        """Deploy the newest commit of a branch that is inactive or stored: its pushes are deployed from then on.

        Args:
            environment: Its machine name, or its branch, which need not have an environment yet.
            seen: As of `EnvironmentCommands.redeploy`.

        Raises:
            NotFound: There is no such branch.
            AlreadySo: It is active, or paused.
            Busy: It is being activated.
            TooManyActive: The project may have no more.
        """
        of = find_project(self._host.settings, project)
        source = Source(of.id, await self._branch(of, environment))
        commit = await self._tip(of, source.branch)

        def check(db: sqlite3.Connection) -> None:
            there = environments.find(db, source.environment)
            if there is not None:
                if seen is not None:
                    refuse_overtaken(db, there, seen)
                _refuse_busy(db, there, "activated")
            if there is not None and there.rest == PAUSED:
                raise AlreadySo(f"{source.branch} is active, and paused",
                                hint=f"`deployd environment wake {of.id} {source.branch}` wakes it")
            if there is not None and there.rest == AWAKE:
                raise AlreadySo(f"{source.branch} is active already", hint="a push or a redeploy deploys it anew")
            if (full := too_many_active(db, of, source.environment)) is not None:
                raise full

        def ask(db: sqlite3.Connection) -> ActivityId:
            check(db)
            trigger = Trigger(who, "api")
            return self._requests.ask_for(
                db, Request(kinds.ACTIVATE, source.environment, source.branch, commit, trigger),
            )

        return await read_activity(self._store, await self._requests.write(ask))

    async def deactivate(self, project: str, environment: str, who: str, *, seen: int | None = None) -> ActivityShape:
        """Let the containers of an environment go, and keep its data. Its pushes are only stored from then on.

        Raises:
            NotFound: There is no such environment.
            ProductionStays: It is production, or protected.
            AlreadySo: It is inactive.
            Busy: Something waits or runs in it.
        """
        found = await self._known.find_configured(project, environment)
        if self._is_production(found):
            raise ProductionStays(
                f"{found.branch} is the production branch of {found.project}, and stays active",
                hint="name another branch as `production_branch` in the settings first",
            )
        if self._host.settings.projects[found.project].protection_of(found.branch) is not None:
            raise ProductionStays(
                f"{found.branch} of {found.project} is protected, and stays active",
                hint="have the operator take the protection away first (`protected` in the project's settings)",
            )
        return await self._ask(found, kinds.DEACTIVATE, who, seen, "deactivated")

    async def pause(self, project: str, environment: str, who: str, *, seen: int | None = None) -> ActivityShape:
        """Stop what runs in an environment; its next visitor wakes it, and no crons are run until then.

        Raises:
            NotFound: There is no such environment.
            ProductionStays: It is production, and nothing is said of its pausing in the settings.
            AlreadySo, Inactive, NothingLive: Nothing of it runs.
            Busy: Something waits or runs in it.
        """
        found = await self._known.find_configured(project, environment)
        of = self._host.settings.projects[found.project]
        if self._is_production(found) and not self._host.settings.pause_after(of, found.branch):
            raise ProductionStays(
                f"{found.branch} is the production branch of {found.project}, and is not paused",
                hint=f"`pause_after_minutes` below `environments: {{{found.branch}: …}}` in the settings allows it",
            )
        return await self._ask(found, kinds.PAUSE, who, seen, "paused")

    async def wake(self, project: str, environment: str, who: str, *, seen: int | None = None) -> ActivityShape:
        """Start what a paused environment had.

        Raises:
            NotFound: There is no such environment.
            AlreadySo, Inactive: It is not paused.
            Busy: Something waits or runs in it.
        """
        found = await self._known.find_configured(project, environment)
        return await self._ask(found, kinds.WAKE, who, seen, "woken")

    async def _ask(
        self, found: Environment, kind: DeploymentKind, who: str, seen: int | None, done: str,
    ) -> ActivityShape:
        def ask(db: sqlite3.Connection) -> ActivityId:
            there = environments.find(db, found.id)
            if there is None:
                raise NotFound(f"{found.branch} was deleted meanwhile, and cannot be {done}")
            if seen is not None:
                refuse_overtaken(db, there, seen)
            _refuse_busy(db, there, done)
            _refuse_as_it_is(there, kind)
            return self._requests.ask_for(
                db, Request(kind, found.id, found.branch, None, Trigger(who, "api")),
            )

        return await read_activity(self._store, await self._requests.write(ask))

    async def _branch(self, project: ProjectSettings, environment: str) -> str:
        try:
            return (await self._known.find(project.id, environment)).branch
        except NotFound:
            if oddity(environment):
                raise
            return environment

    async def _tip(self, project: ProjectSettings, branch: str) -> CommitId:
        if project.remote is not None:
            await self._host.code.fetch(project)
        commit = await self._host.code.tip(project.id, branch)
        if commit is None:
            raise NotFound(f"the project {project.id} has no branch {branch}", hint="push it first")
        return commit

    def _is_production(self, environment: Environment) -> bool:
        return environment_type(self._host.settings.projects[environment.project], environment.branch) == "production"


def _refuse_busy(db: sqlite3.Connection, environment: Environment, done: str) -> None:
    """
    Raises:
        Busy: Something waits or runs there; what its lock holds does not count.
    """
    opened = activities.latest(db, environment=environment.id, states=activities.OPEN)
    found = next((item for item in reversed(opened) if not item.held), None)
    if found is not None:
        how = "runs" if found.state == "in_progress" else "waits"
        raise Busy(
            f"{environment.branch} cannot be {done} now: {found.kind} {found.id} of {found.trigger.who} {how} there",
            hint=f"`deployd log -f {found.id}` shows it; ask again when it has ended",
        )


def _refuse_as_it_is(environment: Environment, kind: DeploymentKind) -> None:
    """
    Raises:
        AlreadySo, Inactive, NothingLive: It cannot be done to an environment that is as this one is.
    """
    branch, rest = environment.branch, environment.rest
    if rest == INACTIVE:
        if kind is kinds.DEACTIVATE:
            raise AlreadySo(f"{branch} is inactive already")
        raise Inactive(
            f"{branch} is inactive: nothing of it runs, or could be started",
            hint=f"`deployd environment activate {environment.project} {branch}` deploys its branch",
        )
    if kind is kinds.PAUSE and rest == PAUSED:
        raise AlreadySo(f"{branch} is paused already; its next visitor wakes it")
    if kind is kinds.PAUSE and environment.live_activity is None:
        raise NothingLive(f"nothing is live in {branch}, so there is nothing to pause", hint="push the branch")
    if kind is kinds.WAKE and rest == AWAKE:
        raise AlreadySo(f"{branch} is awake already")
