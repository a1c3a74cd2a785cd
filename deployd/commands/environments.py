"""Environments: deploy or push once more, go back, or end one. An activity is made of it, and its lane does it."""

from __future__ import annotations

import sqlite3
from typing import ClassVar

from deployd.commands.activities import read_activity
from deployd.commands.locks import make_lock
from deployd.deployment import kinds
from deployd.deployment.kinds import DeploymentKind
from deployd.deployment.requests import Request, Requests, lock_environment
from deployd.deployment.wake import Inactive
from deployd.environment.naming import environment_type
from deployd.errors import DeployError
from deployd.ids import ActivityId, CommitId
from deployd.queries.activities import ActivityShape
from deployd.queries.environments import EnvironmentQueries
from deployd.queries.pushes import choose_pushed
from deployd.queries.versions import NothingLive, choose_earlier
from deployd.release.ports import Host
from deployd.state import activities, locks
from deployd.state.activities import Trigger
from deployd.state.environments import Environment
from deployd.state.locks import Lock
from deployd.state.rests import INACTIVE
from deployd.state.store import Store


class Overtaken(DeployError):
    """Somebody asked for something else after this was looked at."""

    code: ClassVar[str] = "overtaken"


class ProductionStays(DeployError):
    """The environment of the production branch cannot be deleted."""

    code: ClassVar[str] = "production-stays"


class StaysLocked(DeployError):
    """A protected environment is locked with a rollback, and only a person unlocks it."""

    code: ClassVar[str] = "stays-locked"


class EnvironmentCommands:
    def __init__(
        self, store: Store, host: Host, environments: EnvironmentQueries, requests: Requests,
    ) -> None:
        self._store = store
        self._host = host
        self._environments = environments
        self._requests = requests

    async def redeploy(self, project: str, environment: str, who: str, *, seen: int | None = None) -> ActivityShape:
        """Deploy the commit that is live once more.

        Args:
            seen: The newest activity of the environment that whoever asks knows of, 0 for none; None: that is all one.

        Raises:
            NotFound: There is no such environment.
            NothingLive: There is nothing to deploy.
            Overtaken: There is a newer one.
        """
        found = await self._environments.find_configured(project, environment)
        refuse_inactive(found)
        live = await self._host.facts.live(found.id)
        if live is None:
            raise NothingLive(f"nothing is live in {found.branch}", hint="push the branch")
        return await self._enqueue(found, kinds.REDEPLOY, live.commit, Trigger(who, "api"), seen=seen)

    async def rollback(
        self, project: str, environment: str, to: int | None, who: str, *, lock: bool | None = None,
        seen: int | None = None,
    ) -> ActivityShape:
        """Go back to an earlier version; without a number to the newest one that is another than the live one.

        Production is locked with it unless that is not wanted: else the next push would take the rollback away again.
        A protected environment always is. `seen` as of `redeploy`.

        Raises:
            StaysLocked: It is protected, and was not to be locked.
        """
        found = await self._environments.find_configured(project, environment)
        refuse_inactive(found)
        chosen, version = await choose_earlier(self._store, self._host.settings, found, to)
        if lock is False and self._is_protected(found):
            raise StaysLocked(
                f"{found.branch} of {found.project} is protected: a rollback locks it until somebody unlocks it",
                hint=f"roll back, and then `deployd unlock {found.project} {found.branch}`; nothing was done",
            )
        locks_it = lock if lock is not None else self._is_production(found) or self._is_protected(found)
        why = f"rolled back to activity {chosen}"
        return await self._enqueue(
            found, kinds.ROLLBACK, version.commit, Trigger(who, "api", to=chosen), seen=seen,
            lock=make_lock(found, who, why, self._host.clock.now()) if locks_it else None,
        )

    async def push_again(
        self, project: str, environment: str, push: int, who: str, *, seen: int | None = None,
    ) -> ActivityShape:
        """Deploy the commit of a push that has ended, as if it were pushed now. `seen` as of `redeploy`.

        Raises:
            NotFound: There is no such environment, or no such activity of it.
            NotAgain: It cannot be asked for once more, and why.
        """
        found = await self._environments.find_configured(project, environment)
        refuse_inactive(found)
        commit = await choose_pushed(self._store, self._host, found, push)
        return await self._enqueue(found, kinds.PUSH, commit, Trigger(who, "api"), seen=seen)

    async def delete(self, project: str, environment: str, who: str, *, seen: int | None = None) -> ActivityShape:
        """End an environment, as a deleted branch does. The branch stays; its next push makes the environment anew.

        `seen` as of `redeploy`.

        Raises:
            ProductionStays: It is the one of the production branch.
        """
        found = await self._environments.find_configured(project, environment)
        if self._is_production(found):
            raise ProductionStays(
                f"{found.branch} is the production branch of {found.project}, and its environment cannot be deleted",
                hint="name another branch as `production` in the settings first",
            )
        if self._is_protected(found):
            raise ProductionStays(
                f"{found.branch} of {found.project} is protected, and its environment cannot be deleted",
                hint="have the operator take the protection away first (`protected` in the project's settings)",
            )
        # The branch as it is: one that moves on is pushed again, and a lost push is not to be made of this one.
        tip = await self._host.code.tip(found.project, found.branch)
        return await self._enqueue(found, kinds.DELETE, tip, Trigger(who, "api"), seen=seen)

    async def _enqueue(
        self, environment: Environment, kind: DeploymentKind, commit: CommitId | None, trigger: Trigger, *,
        lock: Lock | None = None, seen: int | None = None,
    ) -> ActivityShape:
        request = Request(kind, environment.id, environment.branch, commit, trigger)

        def enqueue(db: sqlite3.Connection) -> ActivityId:
            if seen is not None:
                refuse_overtaken(db, environment, seen)
            # With the activity: a push that comes now is held already. Somebody's own lock keeps its words.
            if lock is not None:
                lock_environment(db, locks.lasting(db, lock), environment.branch)
            return self._requests.ask_for(db, request)

        return await read_activity(self._store, await self._requests.write(enqueue))

    def _is_protected(self, environment: Environment) -> bool:
        return self._host.settings.projects[environment.project].protection_of(environment.branch) is not None

    def _is_production(self, environment: Environment) -> bool:
        return environment_type(self._host.settings.projects[environment.project], environment.branch) == "production"


def refuse_inactive(environment: Environment) -> None:
    """
    Raises:
        Inactive: It is deployed by being activated, and by nothing else.
    """
    if environment.rest == INACTIVE:
        raise Inactive(
            f"{environment.branch} is inactive, and nothing is deployed there",
            hint=f"`deployd environment activate {environment.project} {environment.branch}` deploys its branch",
        )


def refuse_overtaken(db: sqlite3.Connection, environment: Environment, seen: int) -> None:
    """
    Raises:
        Overtaken: There is an activity after the one that was seen.
    """
    newest = activities.latest(db, environment=environment.id, limit=1)
    if newest and newest[0].id > seen:
        one = newest[0]
        how = "it is" if one.state in activities.OPEN else "it ended as"
        raise Overtaken(
            f"{one.trigger.who} asked for {one.kind} {one.id} of {one.branch} meanwhile, at"
            f" {one.created_at:%H:%M:%S}; {how} {one.state.replace('_', ' ')}",
            hint="look at what it does, and ask again if this is wanted still; nothing was done",
        )
