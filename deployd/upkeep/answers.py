"""Environments whose visitors get something worse than usual, asked again until they do not.

Who found that out is a deployment that was reverted (`release/answers`); here it is only seen when it is over.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

import structlog

from deployd.activity.error_boundary import ErrorBoundary
from deployd.clock import Clock
from deployd.errors import DeployError
from deployd.ids import EnvironmentId
from deployd.release.answers.reports import ask_live
from deployd.release.answers.visit_words import Visit, worse_than_usual
from deployd.release.ports import Host
from deployd.release.release import Release
from deployd.state import answers
from deployd.state.store import Store
from deployd.upkeep.ownership import Owner, read_live, read_ownership

log = structlog.get_logger()

EVERY_SECONDS = 5.0


Ask = Callable[[Release, Host], Awaitable[tuple[Visit, ...]]]


class Answers:
    """Asks again what answered wrongly."""

    def __init__(
        self, store: Store, host: Host, clock: Clock, *, ask: Ask = ask_live, boundary: ErrorBoundary | None = None,
    ) -> None:
        self._ask_live = ask
        self._boundary = boundary or ErrorBoundary("answers")
        self._store = store
        self._host = host
        self._clock = clock

    async def serve(self) -> None:
        while True:
            with self._boundary.contain("the look at wrong answers"):
                await self.look()
            await asyncio.sleep(EVERY_SECONDS)

    async def look(self) -> None:
        """Ask each environment that is known to answer wrongly once."""
        found = await self._store.read(answers.wrong_ones)
        keys = sorted({item.environment for item in found})
        self._boundary.keep_only(map(_asking, keys), beginning=_asking(""))
        for key in keys:
            with self._boundary.contain(_asking(key)):
                await self._ask(key)

    async def _ask(self, key: EnvironmentId) -> None:
        live = await read_live(self._store, self._host.settings, key)
        if live is None:
            await self._store.write(lambda db: answers.remove(db, key))
            return
        if (await read_ownership(self._store, key)).owner is not Owner.OURS:
            return   # a deployment says itself what comes of it
        try:
            visits = await self._ask_live(live, self._host)
        except DeployError as error:   # Docker or the router: told by the watch
            log.info("answers_not_seen", environment=live.key, what=error.what)
            return
        usual = await self._store.read(lambda db: answers.usual(db, key))
        wrong = {visit.url: visit.answer for visit in worse_than_usual(visits, usual)}
        if await self._store.write(lambda db: answers.put_wrong(db, key, wrong, self._clock.now())):
            log.info("answers_changed", environment=live.key, wrong=wrong)


def _asking(key: EnvironmentId | str) -> str:
    return f"asking {key}"
