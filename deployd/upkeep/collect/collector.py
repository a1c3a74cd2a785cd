"""The rounds of housekeeping: by the clock, and when somebody asks."""

from __future__ import annotations

import asyncio
import shutil
from collections.abc import Awaitable, Callable, Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime, timedelta

import structlog

from deployd.activity.error_boundary import ErrorBoundary
from deployd.clock import Clock
from deployd.deployment.requests import Requests
from deployd.ids import ProjectId
from deployd.release.ports import Host
from deployd.settings import CollectSettings
from deployd.state import repeats
from deployd.state import unneeded as rows
from deployd.state.store import StateUnwritable, Store
from deployd.state.unneeded import Key
from deployd.units import MEGABYTE
from deployd.upkeep.collect.look import look
from deployd.upkeep.collect.remove import Removal
from deployd.upkeep.collect.things import Going, Rules, Thing, unneeded, what_goes

log = structlog.get_logger()

SHORT_FACTOR = 2
"""The disk counts as short below so many times what has to stay free: builds must not be the first to notice."""
SHORT_SECONDS = 300
"""From round to round while the disk is short: a round looks at every file of data."""
LOOK_SECONDS = 60
"""How often the free space is looked at between rounds."""
DAEMON = "deployd"
REMOVING = "removing "
REPEATS_KEPT = timedelta(days=1)
"""Answers to requests with an Idempotency-Key."""
MOST_DELIVERIES = 10_000
"""Answers to webhooks that are kept of a project; a forge repeats one within days."""


@dataclass(frozen=True, slots=True)
class Round:
    """What a round did, or would do."""

    at: datetime
    going: tuple[Going, ...]
    short: bool

    @property
    def size_bytes(self) -> int:
        return sum(going.thing.size_bytes for going in self.going)


class Collector:
    """Housekeeping of one daemon."""

    def __init__(
        self, store: Store, host: Host, clock: Clock, requests: Requests,
        pack: Callable[[ProjectId], Awaitable[None]], *, boundary: ErrorBoundary | None = None,
    ) -> None:
        """
        Args:
            pack: Packs the repository of a project.
        """
        self._boundary = boundary or ErrorBoundary("housekeeping")
        self._pack_repository = pack
        self._store = store
        self._host = host
        self._clock = clock
        self._removal = Removal(store, host, requests)
        self._turn = asyncio.Lock()
        self.last: Round | None = None
        """The last round that took something away, or found nothing to take."""

    async def serve(self) -> None:
        """A round every `collect.every_minutes`; the first one after that time too: a start has better things to do."""
        minutes = self._host.settings.collect.every_minutes
        while True:
            if not minutes:
                await asyncio.Event().wait()
            await self._wait_until_due(minutes * 60)
            with self._boundary.contain("a round"):
                await self.collect(DAEMON)

    async def _wait_until_due(self, every_seconds: float) -> None:
        waited = 0.0
        while (left := seconds_to_wait(waited, every_seconds, short=await self._is_short())) > 0:
            pause = min(left, LOOK_SECONDS)
            await asyncio.sleep(pause)
            waited += pause

    async def _is_short(self) -> bool:
        free = (await asyncio.to_thread(shutil.disk_usage, self._host.places.state)).free // MEGABYTE
        return free < SHORT_FACTOR * self._host.settings.min_free_disk_mb

    async def preview(self, *, deleted: bool = False) -> Round:
        """What a round would take away now.

        Args:
            deleted: Also the data of deleted environments whose time of grace is not over.
        """
        now = self._clock.now()
        things = await look(self._store, self._host, now, self._boundary)
        return await self._decide(things, await self._store.read(rows.since), now, deleted)

    async def collect(self, who: str, *, deleted: bool = False) -> Round:
        """Take away what nobody needs; what cannot be taken is left for the next round, and told in the log."""
        async with self._turn:
            now = self._clock.now()
            things = await look(self._store, self._host, now, self._boundary)
            planned = await self._decide(things, await self._note(things, now), now, deleted)
            gone = [going for going in planned.going if await self._remove(going, who, now)]
            self._boundary.keep_only((_removing(going.thing) for going in planned.going), beginning=REMOVING)
            before = now - timedelta(days=self._host.settings.collect.log_days)
            with suppress(StateUnwritable):   # it is said above; the next round forgets them
                await self._store.write(lambda db: rows.forget_deliveries(db, before, MOST_DELIVERIES))
                await self._store.write(lambda db: repeats.forget(db, now - REPEATS_KEPT))
            for project in self._host.settings.projects:
                with self._boundary.contain(f"packing the repository of {project}"):
                    await self._pack_repository(project)
            self.last = Round(now, tuple(gone), planned.short)
            if gone:
                log.info("collected", things=len(gone), megabytes=self.last.size_bytes // MEGABYTE, who=who)
            return self.last

    async def _note(self, things: Iterable[Thing], now: datetime) -> Mapping[Key, datetime]:
        """Since when nobody needs what nobody needs."""
        keys = [thing.key for thing in unneeded(things)]
        try:
            return await self._store.write(lambda db: rows.note(db, keys, now))
        except StateUnwritable as error:
            # The disk is full, and we are who makes room. What was noted before does not count: it may have been
            # needed meanwhile, so only what goes without grace goes, and no data.
            log.warning("unneeded_not_noted", why=error.what)
            return {}

    async def _decide(
        self, things: Iterable[Thing], since: Mapping[Key, datetime], now: datetime, deleted: bool,
    ) -> Round:
        short = await self._is_short()
        rules = rules_of(self._host.settings.collect, short=short, deleted=deleted)
        return Round(now, what_goes(things, since, rules, now), short)

    async def _remove(self, going: Going, who: str, now: datetime) -> bool:
        thing, done = going.thing, False
        with self._boundary.contain(_removing(thing)):
            done = await self._removal.remove(thing, who, now)
        if done:
            log.info("collected_thing", kind=thing.kind, name=thing.name, why=thing.why,
                     megabytes=thing.size_bytes // MEGABYTE)
        return done


def _removing(thing: Thing) -> str:
    return f"{REMOVING}{thing.kind} {thing.name}"


def seconds_to_wait(waited: float, every_seconds: float, *, short: bool) -> float:
    """How long it still is to the next round, in seconds; 0 or less: it is due. Pure."""
    return (min(every_seconds, SHORT_SECONDS) if short else every_seconds) - waited


def rules_of(settings: CollectSettings, *, short: bool, deleted: bool = False) -> Rules:
    """The operator's days as rules. Pure."""
    grace = timedelta(0) if deleted else timedelta(days=settings.deleted_days)
    return Rules(short=short, grace={
        "slug": timedelta(days=settings.slug_days), "image": timedelta(days=settings.image_days),
        "data": grace, "volume": timedelta(days=settings.deleted_days),
        "snapshot": timedelta(days=settings.deleted_days),
    })
