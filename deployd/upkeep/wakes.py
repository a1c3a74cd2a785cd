"""Paused environments are woken for their visitors: the router says where somebody waits, an activity is made of it.

    a visitor ─► the router holds him ─► its answer to `sleepers` ─► an activity ─► its lane wakes it ─► he is let in

The router is asked all the time and answers when there is news, so a daemon that comes back hears of everybody who
still waits. However many come, one activity is made for an environment; one that fails keeps visitors from asking anew
for a while (`deployment/wake.py`).
"""

from __future__ import annotations

import asyncio
import sqlite3
from typing import Protocol

import structlog

from deployd.activity.error_boundary import ErrorBoundary
from deployd.deployment.kinds import DEACTIVATE, KINDS, WAKE
from deployd.deployment.requests import Request, Requests
from deployd.errors import DeployError
from deployd.ids import EnvironmentId
from deployd.router.table import Sleepers
from deployd.settings import Settings
from deployd.state import activities, environments
from deployd.state.activities import Trigger
from deployd.state.rests import INACTIVE

log = structlog.get_logger()

AWAY_SECONDS = 0.5
"""Until the router is asked again when it does not answer."""
WHO = Trigger("a visitor", "router")
ENOUGH = frozenset({WAKE.name, DEACTIVATE.name, *(kind.name for kind in KINDS.values() if kind.ends_environment)})
"""Kinds beside which no wake is asked for: it comes already, or there is nothing to wake after it."""


class Router(Protocol):
    async def sleepers(self, known: int) -> Sleepers: ...


class Wakes:
    """Makes activities for those who come to environments that are asleep."""

    def __init__(
        self, router: Router, settings: Settings, requests: Requests, *, boundary: ErrorBoundary | None = None,
    ) -> None:
        self._router = router
        self._settings = settings
        self._requests = requests
        self._boundary = boundary or ErrorBoundary("wakes")

    async def serve(self) -> None:
        known = -1
        while True:
            with self._boundary.contain("hearing whom visitors want to have woken") as tried:
                known = await self.hear(known)
            if tried.failed:
                await asyncio.sleep(min(tried.again_in, AWAY_SECONDS))

    async def hear(self, known: int) -> int:
        """Wait for news of the router, and have those woken to whom somebody came. Gives the number of the news."""
        try:
            news = await self._router.sleepers(known)
        except DeployError:   # told by the watch, which starts it again
            await asyncio.sleep(AWAY_SECONDS)
            return -1
        if news.environments:
            await self._requests.write(lambda db: self._ask(db, news.environments))
        return news.number

    def _ask(self, db: sqlite3.Connection, keys: tuple[str, ...]) -> None:
        for key in map(EnvironmentId.read, keys):
            there = environments.find(db, key)
            opened = activities.latest(db, environment=key, states=activities.OPEN)
            if there is None or there.rest == INACTIVE or key.project not in self._settings.projects:
                continue
            if any(item.kind in ENOUGH and not item.held for item in opened):
                continue
            number = self._requests.ask_for(db, Request(WAKE, key, there.branch, None, WHO))
            log.info("environment_wanted", project=key.project, environment=key.name, activity=number)
