"""Environments: deploy once more, or go back. An activity is made of it, and what it does is a deployment."""

from __future__ import annotations

import sqlite3
from typing import ClassVar

from deployd.activity.journal import read_result
from deployd.commands.activities import read_activity
from deployd.commands.locks import make_lock
from deployd.deployment import kinds
from deployd.deployment.kinds import DeploymentKind
from deployd.deployment.requests import Request, Requests, lock_environment
from deployd.environment.naming import environment_type
from deployd.errors import DeployError
from deployd.ids import ActivityId, CommitId
from deployd.queries.activities import ActivityShape
from deployd.queries.environments import EnvironmentQueries
from deployd.release.ports import Host
from deployd.release.version import Version
from deployd.state import environments, locks
from deployd.state.activities import Trigger
from deployd.state.environments import Environment
from deployd.state.locks import Lock
from deployd.state.store import Store


class NothingLive(DeployError):
    """The environment has never been live, or there is no version to go back to."""

    code: ClassVar[str] = "nothing-live"


class EnvironmentCommands:
    def __init__(
        self, store: Store, host: Host, environments: EnvironmentQueries, requests: Requests,
    ) -> None:
        self._store = store
        self._host = host
        self._environments = environments
        self._requests = requests

    async def redeploy(self, project: str, environment: str, who: str) -> ActivityShape:
        """Deploy the commit that is live once more."""
        found = await self._environments.find_configured(project, environment)
        live = await self._host.facts.live(found.id)
        if live is None:
            raise NothingLive(f"nothing is live in {found.branch}", hint="push the branch")
        return await self._enqueue(found, kinds.REDEPLOY, live.commit, Trigger(who, "api"))

    async def rollback(
        self, project: str, environment: str, to: int | None, who: str, *, lock: bool | None = None,
    ) -> ActivityShape:
        """Go back to an earlier version; without a number to the newest one that is another than the live one.

        Production is locked with it unless that is not wanted: else the next push would take the rollback away again.
        """
        found = await self._environments.find_configured(project, environment)
        chosen, version = await self._choose(found, to)
        locks_it = lock if lock is not None else self._is_production(found)
        why = f"rolled back to activity {chosen}"
        return await self._enqueue(
            found, kinds.ROLLBACK, version.commit, Trigger(who, "api", to=chosen),
            lock=make_lock(found, who, why, self._host.clock.now()) if locks_it else None,
        )

    async def _choose(self, environment: Environment, to: int | None) -> tuple[ActivityId, Version]:
        """(whose version, the version)

        A redeploy of an unchanged version makes a version like the one before: to go back to that would change nothing.
        """
        keep = self._host.settings.keep_versions
        versions = await self._store.read(
            lambda db: environments.earlier_versions(db, environment.id, keep + 1),
        )
        known = {number: read_result(text, Version) for number, _, text in versions}
        live = known.pop(environment.live_activity, None) if environment.live_activity else None
        chosen = next((number for number, version in known.items()
                       if (number == to if to is not None else live is None or not is_same(version, live))), None)
        if chosen is None:
            there = ", ".join(map(str, known)) or "none"
            raise NothingLive(
                f"{environment.branch} has no version {to if to is not None else 'before the live one'} to go back to",
                hint=f"versions that were live, by their activity: {there}",
            )
        return chosen, known[chosen]

    async def _enqueue(
        self, environment: Environment, kind: DeploymentKind, commit: CommitId, trigger: Trigger,
        lock: Lock | None = None,
    ) -> ActivityShape:
        request = Request(kind, environment.id, environment.branch, commit, trigger)

        def enqueue(db: sqlite3.Connection) -> ActivityId:
            # With the activity: a push that comes now is held already. Somebody's own lock keeps its words.
            if lock is not None and locks.find(db, lock.environment) is None:
                lock_environment(db, lock, environment.branch)
            return self._requests.ask_for(db, request)

        return await read_activity(self._store, await self._requests.write(enqueue))

    def _is_production(self, environment: Environment) -> bool:
        return environment_type(self._host.settings.projects[environment.project], environment.branch) == "production"


def is_same(one: Version, other: Version) -> bool:
    """Whether visitors and applications could not tell two versions apart. Pure."""
    return one.commit == other.commit and one.as_live() == other.as_live()
