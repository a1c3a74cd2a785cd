"""Environments to which nobody has come for a while are paused, where the settings say so.

    a visit in the access log ──► noted here, and once a minute in the database
    every minute ──► no visit, no deployment for `pause_after_minutes`, and nothing open ──► pause

Visits are counted by `visits.py`: crawlers and monitors keep nothing awake. What is open (a WebSocket, a download)
stands in the log when it ends, so the kernel is asked before anything is paused.
"""

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import Collection
from datetime import datetime

import structlog

from deployd.activity.error_boundary import ErrorBoundary
from deployd.clock import Clock
from deployd.deployment.kinds import PAUSE
from deployd.deployment.requests import Request, Requests
from deployd.environment.platform import PORT, SOCKET
from deployd.ids import EnvironmentId
from deployd.release.ports import Host
from deployd.state import activities, environments, rests, stays
from deployd.state.activities import Trigger
from deployd.state.environments import Environment
from deployd.state.rests import AWAKE
from deployd.state.store import Store
from deployd.upkeep.ownership import read_live

log = structlog.get_logger()

LOOK_SECONDS = 60.0
WHO = Trigger("deployd", "daemon")
LOOKING = "looking whether anybody comes to "


class Idle:
    """Looks for environments that nobody uses."""

    def __init__(
        self, store: Store, host: Host, clock: Clock, requests: Requests, *, boundary: ErrorBoundary | None = None,
    ) -> None:
        self._store = store
        self._host = host
        self._clock = clock
        self._requests = requests
        self._boundary = boundary or ErrorBoundary("idle")
        self._visits: dict[EnvironmentId, datetime] = {}
        """Of which the database does not know yet."""

    def visited(self, environment: str) -> None:
        """Somebody came just now; from any thread."""
        self._visits[EnvironmentId.read(environment)] = self._clock.now()

    async def serve(self) -> None:
        while True:
            await asyncio.sleep(LOOK_SECONDS)
            with self._boundary.contain("the look for environments that nobody uses"):
                await self.look()

    async def look(self) -> None:
        """Note who came, and pause what nobody uses."""
        visits, self._visits = self._visits, {}
        if visits:
            await self._store.write(lambda db: rests.note_visits(db, visits))
        found = [item for item in await self._store.read(environments.list_all) if self._is_idle(item)]
        self._boundary.keep_only((f"{LOOKING}{item.id}" for item in found), beginning=LOOKING)
        for item in found:
            with self._boundary.contain(f"{LOOKING}{item.id}"):
                await self._pause(item)

    def _is_idle(self, environment: Environment) -> bool:
        project = self._host.settings.projects.get(environment.project)
        if project is None or environment.rest != AWAKE or environment.live_activity is None:
            return False
        after = self._host.settings.pause_after(project, environment.branch)
        return after is not None and self._clock.now() - last_use(environment) >= after

    async def _pause(self, environment: Environment) -> None:
        if await self._is_in_use(environment.id):
            self.visited(str(environment.id))
            return

        def ask(db: sqlite3.Connection) -> bool:
            there = environments.find(db, environment.id)
            opened = activities.latest(db, environment=environment.id, states=activities.OPEN)
            ended = activities.latest(db, environment=environment.id, limit=1)
            if there is None or opened or environment.id in self._visits or not self._is_idle(there):
                return False
            if ended and ended[0].ended_at and self._is_recent(environment, ended[0].ended_at):
                return False   # it was just woken, or somebody works at it
            self._requests.ask_for(db, Request(PAUSE, there.id, there.branch, None, WHO))
            return True

        if await self._requests.write(ask):
            log.info("environment_idle", project=environment.project, environment=environment.name,
                     since=last_use(environment).isoformat())

    def _is_recent(self, environment: Environment, moment: datetime) -> bool:
        after = self._host.settings.pause_after(self._host.settings.projects[environment.project], environment.branch)
        return after is not None and self._clock.now() - moment < after

    async def _is_in_use(self, key: EnvironmentId) -> bool:
        """Whether a request is under way in it, however long it has been, or somebody is inside over SSH."""
        if await self._store.read(lambda db: stays.list_all(db, key)):
            return True
        release = await read_live(self._store, self._host.settings, key)
        if release is None:
            return False
        parts = [part for app in release.version.apps for part in app.webs]
        webs = [await self._host.engine.container(release.container("web", part)) for part in parts]
        return await self._host.engine.connections_to([seen for seen in webs if seen is not None], PORT, SOCKET) > 0


def last_use(environment: Environment) -> datetime:
    """When somebody came last, or deployed. Pure."""
    moments: Collection[datetime | None] = (environment.visited_at, environment.live_since, environment.created_at)
    return max(moment for moment in moments if moment is not None)
