"""Locks that end by themselves: when their moment has come they go, and what was held goes on."""

from __future__ import annotations

import asyncio
import sqlite3

import structlog

from deployd.activity.error_boundary import ErrorBoundary
from deployd.clock import Clock
from deployd.deployment.requests import Requests
from deployd.ids import ActivityId
from deployd.state import activities, locks
from deployd.state.locks import Lock
from deployd.state.store import Store

log = structlog.get_logger()

LOOK_SECONDS = 2.0


class LockEnds:
    def __init__(
        self, store: Store, clock: Clock, requests: Requests, *, boundary: ErrorBoundary | None = None,
    ) -> None:
        self._store = store
        self._clock = clock
        self._requests = requests
        self._boundary = boundary or ErrorBoundary("locks")

    async def serve(self) -> None:
        while True:
            await self.look()
            await asyncio.sleep(LOOK_SECONDS)

    async def look(self) -> None:
        with self._boundary.contain("looking for locks that are over"):
            for lock in await self._store.read(lambda db: locks.over(db, self._clock.now())):
                with self._boundary.contain(f"the lock of {lock.environment}"):
                    await self._end(lock)

    async def _end(self, lock: Lock) -> None:
        def end(db: sqlite3.Connection) -> list[ActivityId] | None:
            if locks.find(db, lock.environment) != lock:   # somebody has locked it anew
                return None
            locks.remove(db, lock.environment)
            return activities.release(db, lock.environment)

        released = await self._requests.write(end)
        if released is not None:
            log.info("lock_is_over", project=lock.environment.project, environment=lock.environment.name,
                     who=lock.who, released=released)
