"""Locks: keep what is live in an environment, and let go on what was held."""

from __future__ import annotations

import sqlite3
from dataclasses import dataclass, replace
from datetime import datetime
from typing import ClassVar

import structlog

from deployd.clock import Clock
from deployd.deployment.requests import Requests, lock_environment
from deployd.errors import DeployError, Unusable
from deployd.ids import ActivityId
from deployd.queries.environments import EnvironmentQueries, LockShape, lock_shape
from deployd.state import activities, locks
from deployd.state.activities import Activity
from deployd.state.environments import Environment
from deployd.state.locks import Lock
from deployd.state.store import Store

log = structlog.get_logger()


class NotLocked(DeployError):
    """The environment is not locked."""

    code: ClassVar[str] = "not-locked"


@dataclass(frozen=True, slots=True, kw_only=True)
class LockedShape:
    """What a lock, or its end, means for activities."""

    project: str
    environment: str
    branch: str
    lock: LockShape | None
    """None: it is unlocked."""
    activities: tuple[int, ...]
    """Locked: those that run, which a lock does not end. Unlocked: those that were held, and go on now."""


class LockCommands:
    def __init__(
        self, store: Store, clock: Clock, environments: EnvironmentQueries, requests: Requests,
    ) -> None:
        self._store = store
        self._clock = clock
        self._environments = environments
        self._requests = requests

    async def lock(
        self, project: str, environment: str, reason: str, who: str, *, until: datetime | None = None,
    ) -> LockedShape:
        """Keep what is live: pushes are built, and wait. What runs already goes on, and is named.

        Args:
            until: When it ends by itself; None: somebody has to end it.

        Raises:
            Unusable: That has been.
        """
        found, now = await self._environments.find_configured(project, environment), self._clock.now()
        if until is not None and until <= now:
            raise Unusable(f"{until:%Y-%m-%d %H:%M} UTC has been: the lock would be over at once", where="until")
        made = replace(make_lock(found, who, _one_line(reason), now), until=until)

        def lock(db: sqlite3.Connection) -> list[Activity]:
            lock_environment(db, made, found.branch)
            return activities.latest(db, environment=found.id, states=("in_progress",))

        running = await self._store.write(lock)
        log.info("environment_locked", project=found.project, environment=found.name, who=who, reason=made.reason)
        return _locked(found, lock_shape(made), [item.id for item in running])

    async def unlock(self, project: str, environment: str, who: str) -> LockedShape:
        """Let what was held go on.

        Raises:
            NotLocked: Nobody has locked it.
        """
        found = await self._environments.find_configured(project, environment)

        def unlock(db: sqlite3.Connection) -> list[ActivityId] | None:
            if not locks.remove(db, found.id):
                return None
            return activities.release(db, found.id)

        released = await self._requests.write(unlock)
        if released is None:
            raise NotLocked(f"{found.branch} is not locked")
        log.info("environment_unlocked", project=found.project, environment=found.name, who=who)
        return _locked(found, None, released)


def make_lock(environment: Environment, who: str, reason: str, now: datetime) -> Lock:
    return Lock(environment.id, who, reason, now)


def _locked(environment: Environment, lock: LockShape | None, of: list[ActivityId]) -> LockedShape:
    return LockedShape(
        project=environment.project, environment=environment.name, branch=environment.branch, lock=lock,
        activities=tuple(of),
    )


def _one_line(text: str) -> str:
    """What somebody wrote, as every pusher's terminal may show it."""
    return "".join(letter for letter in " ".join(text.split()) if letter.isprintable())
