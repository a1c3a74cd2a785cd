"""The status: whether pushes can be taken, and what is not as it should be."""

from __future__ import annotations

import asyncio
import shutil
import time
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, TypeVar

from deployd import __version__
from deployd.queries.activities import ActivityQueries
from deployd.queries.cached import Cached
from deployd.queries.environments import EnvironmentQueries, EnvironmentShape
from deployd.queries.figures import PATIENCE_SECONDS
from deployd.settings import Settings
from deployd.units import MEGABYTE

T = TypeVar("T")

FRESH_SECONDS = 1.0
"""A status is not made anew more often than that, however many monitors poll it."""
WHILE_MADE_SECONDS = 2.0
"""How much older it may be for who comes while it is made anew."""


@dataclass(frozen=True, slots=True, kw_only=True)
class StatusShape:
    """What monitoring polls."""

    version: str
    state: str
    """`ok` or `degraded`; `reasons` says why."""
    reasons: tuple[str, ...]
    uptime_seconds: int
    activities: dict[str, int]
    """{`pending`, `in_progress`, `failed_last_hour`}"""
    engine: dict[str, Any]
    router: dict[str, Any]
    disk: dict[str, int]
    """{`free_mb`, `needed_mb`}"""
    collected: dict[str, Any] = field(default_factory=dict)
    """The last round of housekeeping: {`at`, `things`: {kind: how many}, `size_bytes`}; empty before the first one."""
    audit: dict[str, Any] = field(default_factory=dict)
    """The last entry of the audit log: {`number`, `hash`}."""
    environments: tuple[EnvironmentShape, ...] = field(default=())


@dataclass(frozen=True, slots=True, kw_only=True)
class Footing:
    """How that is on which the daemon stands: Docker and the router."""

    engine: dict[str, Any]
    router: dict[str, Any]
    reasons: tuple[str, ...] = ()
    """Why no push can be taken."""


@dataclass(frozen=True, slots=True)
class Health:
    """How the daemon is, as its parts say."""

    look: Callable[[], Awaitable[Footing]]
    troubles: Callable[[], Sequence[str]] = tuple
    """What is not well in environments, one sentence each; pushes can be taken all the same."""
    collected: Callable[[], dict[str, Any]] = dict
    """The last round of housekeeping; empty before the first one."""


class StatusQueries:
    def __init__(
        self, health: Health, activities: ActivityQueries, environments: EnvironmentQueries, settings: Settings,
        began: float, audit_head: Callable[[], Awaitable[dict[str, Any]]],
    ) -> None:
        """
        Args:
            began: When the daemon did, by the monotonic clock.
            audit_head: The last entry of the audit log: {`number`, `hash`}.
        """
        self._audit_head = audit_head
        self._health = health
        self._activities = activities
        self._settings = settings
        self._began = began
        self._footing = _shared(self._look)
        self._statuses = _shared(self._status)
        self._wrong = _shared(environments.wrong_answers)
        self._bad = _shared(environments.bad_releases)
        self._environments = _shared(environments.all)

    async def not_ready(self) -> tuple[str, ...]:
        """Why no push can be taken now; empty when it can."""
        return (await self._footing.get()).reasons

    async def now(self, *, with_environments: bool, with_names: bool) -> StatusShape:
        """At most a second old, or three while it is made anew.

        Args:
            with_names: Reasons may name projects and environments.
        """
        seen = await self._statuses.get()
        wrong = [f"{item.environment}: {item.said}" for item in await self._wrong.get()]
        bad = [f"{item.environment}: {item.said}" for item in await self._bad.get()]
        troubles = (*self._health.troubles(), *wrong, *bad)
        if troubles:
            counted = f"{len(troubles)} of the environments and the router are not as they should be"
            reasons = (*seen.reasons, *(troubles if with_names else (counted,)))
            seen = replace(seen, state="degraded", reasons=reasons)
        return replace(seen, environments=tuple(await self._environments.get())) if with_environments else seen

    async def _look(self) -> Footing:
        try:
            async with asyncio.timeout(PATIENCE_SECONDS):
                return await self._health.look()
        except TimeoutError:
            late = f"Docker or the router did not answer within {PATIENCE_SECONDS:g} s"
            return Footing(engine={"reachable": False}, router={"reachable": False}, reasons=(late,))

    async def _status(self) -> StatusShape:
        footing = await self._footing.get()
        reasons = footing.reasons
        counts = await self._activities.counts()
        free = (await asyncio.to_thread(shutil.disk_usage, self._settings.state)).free // MEGABYTE
        if free < self._settings.min_free_disk_mb:
            reasons = (*reasons, f"only {free} MB are free on the disk: nothing can be built")
        return StatusShape(
            version=__version__, state="degraded" if reasons else "ok", reasons=reasons,
            uptime_seconds=int(time.monotonic() - self._began), activities=counts, engine=footing.engine,
            router=footing.router, disk={"free_mb": free, "needed_mb": self._settings.min_free_disk_mb},
            collected=self._health.collected(), audit=await self._audit_head(),
        )


def _shared(make: Callable[[], Awaitable[T]]) -> Cached[T]:
    return Cached(make, FRESH_SECONDS, while_made_seconds=WHILE_MADE_SECONDS)
