"""One daemon with two places that are visited, and deaths of the daemon at points that a test chooses."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from pathlib import Path

from scripts.local_daemon import DaemonDidNotStart, LocalDaemon
from tests.chaos.actors import Actor
from tests.chaos.count import hooks_not_once, lost_activities, wrong_answers, wrong_orders
from tests.chaos.sample import Place
from tests.chaos.visitors import Visitors
from tests.support.inventory import ownerless
from tests.support.journal_record import read_live, read_open, read_records
from tests.support.kill_points import LAST_WORDS, VARIABLE

MAIN, SIDE = Place("kill", "main"), Place("kill", "side", may_go=True)
LIMIT_SECONDS = 120.0


@dataclass
class Stand:
    daemon: LocalDaemon
    actors: dict[Place, Actor]
    visitors: Visitors

    @property
    def state(self) -> Path:
        return self.daemon.directory / "var/state/state.db"

    async def die_at(self, point: str, begin: Callable[[], Awaitable[None]] | None = None) -> None:
        """A daemon that goes on until the point.

        Args:
            begin: What it gets to do, when nothing is open yet.
        """
        await self.daemon.stop()
        try:
            await self.daemon.start(LIMIT_SECONDS, module="tests.support.kill_points", environment={VARIABLE: point})
        except DaemonDidNotStart:
            assert f"{LAST_WORDS} {point}" in self.daemon.log_tail(1), self.daemon.log_tail(40)
        if begin is not None:
            await begin()
        await self._until(lambda: self.daemon.running() is None, point)
        assert f"{LAST_WORDS} {point}" in self.daemon.log_tail(1), self.daemon.log_tail(40)

    async def end_well(self) -> None:
        """A daemon that carries out what is open."""
        await self.daemon.start(LIMIT_SECONDS)
        await self.until_ended()

    async def until_ended(self) -> None:
        await self._until(lambda: not read_open(self.state), "everything has ended")

    async def _until(self, question: Callable[[], bool], what: str) -> None:
        began = time.monotonic()
        while not question():
            assert time.monotonic() - began < LIMIT_SECONDS, f"{what}\n{self.daemon.log_tail(40)}"
            await asyncio.sleep(0.02)

    def ran(self) -> list[str]:
        folder = self.state.parent
        files = [*folder.glob("caches/*/ran"), *folder.glob("environments/*/*/volumes/app/data/ran")]
        return [line for file in files for line in file.read_text().splitlines()]

    async def wrong(self) -> list[str]:
        """Everything that a storm counts."""
        records = read_records(self.state)
        [orders] = self.state.parent.glob("environments/kill/main-*/volumes/app/data/orders")
        commits = {place: actor.commits for place, actor in self.actors.items()}
        return [
            *lost_activities(records), *hooks_not_once(records, self.ran()),
            *wrong_answers(self.visitors.answers, records, commits),
            *wrong_orders(self.visitors.orders(), {MAIN: orders.read_text().split()}),
            *await ownerless(self.daemon, read_live(self.state)),
        ]
