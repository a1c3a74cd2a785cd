"""The host: what is not well, who waits for what, what takes up the disk and when it is full, what runs out."""

from __future__ import annotations

import asyncio
import shutil
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from operator import attrgetter

from deployd.queries.activities import ActivityQueries, ActivityShape
from deployd.queries.certificates import CertificateQueries, CertificateShape
from deployd.queries.housekeeping import CollectShape, collect_shape
from deployd.queries.status import StatusQueries
from deployd.queries.times import iso
from deployd.settings import Settings
from deployd.units import MEGABYTE
from deployd.upkeep.usage.disk_kinds import Counted, left_over
from deployd.upkeep.usage.free_space import DiskForecast

HINT = "; hint: "
"""Stands in a reason before what helps."""
MOST_WAITING = 200
MOST_CERTIFICATES = 20
MOST_THINGS = 100


@dataclass(frozen=True, slots=True, kw_only=True)
class ReasonShape:
    """Why the host is not as it should be."""

    what: str
    hint: str
    """What can be done about it; empty when nobody knows."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SlotsShape:
    """Of what only so many run at once."""

    kind: str
    """`builds` or `deployments`."""
    taken: int
    total: int
    waiting: int


@dataclass(frozen=True, slots=True, kw_only=True)
class DiskKindShape:
    """What takes up room."""

    kind: str
    size_bytes: int
    uncounted: int
    """Things of this kind with too many files to be counted."""
    elsewhere: bool
    """On another disk than the state."""


@dataclass(frozen=True, slots=True, kw_only=True)
class DiskForecastShape:
    """When the disk is full if it goes on like that."""

    from_days: float
    """So many days were looked at."""
    bytes_a_day: int
    """That it gets fuller by; negative: emptier."""
    full_at: str
    """ISO 8601, UTC; empty: not within years."""


@dataclass(frozen=True, slots=True, kw_only=True)
class DiskShape:
    """The disk with the daemon's state."""

    total_bytes: int
    free_bytes: int
    needed_bytes: int
    """With less free, nothing is built."""
    counted_at: str
    """When the kinds were counted: ISO 8601, UTC; empty: not yet."""
    kinds: tuple[DiskKindShape, ...]
    """The largest first; `other` is what is not deployd's."""
    forecast: DiskForecastShape | None
    """Null: the disk is known for less than a day."""


@dataclass(frozen=True, slots=True, kw_only=True)
class LoopShape:
    """A loop of the daemon in which something failed since its start."""

    name: str
    failures: int
    failing: int
    """Items that fail now."""


@dataclass(frozen=True, slots=True, kw_only=True)
class HostShape:
    version: str
    state: str
    """`ok` or `degraded`."""
    uptime_seconds: int
    reasons: tuple[ReasonShape, ...]
    slots: tuple[SlotsShape, ...]
    waiting: tuple[ActivityShape, ...]
    """Activities that wait for something, oldest first."""
    certificates: tuple[CertificateShape, ...]
    """Those that run out soonest, and those that cannot be had."""
    disk: DiskShape | None
    """Null: the caller does not see every project."""
    collectable: CollectShape | None
    """What housekeeping would take away, the hundred largest; null: not for this caller, or not looked at yet."""
    loops: tuple[LoopShape, ...]
    """Empty too when the caller does not see every project."""


@dataclass(frozen=True, slots=True)
class Meters:
    """What can be read at any moment for nothing."""

    slots: Callable[[], Mapping[str, tuple[int, int, int]]]
    """{kind: (taken, all there are, who wait)}"""
    loops: Callable[[], Mapping[str, tuple[int, int]]]
    """{loop: (failures, failing)}"""
    counted: Callable[[], Counted | None]
    forecast: Callable[[], DiskForecast | None]


class HostQueries:
    def __init__(
        self, meters: Meters, status: StatusQueries, activities: ActivityQueries, certificates: CertificateQueries,
        settings: Settings,
    ) -> None:
        self._meters = meters
        self._status = status
        self._activities = activities
        self._certificates = certificates
        self._settings = settings

    async def now(self, projects: Sequence[str] | None, *, with_collectable: bool) -> HostShape:
        """
        Args:
            projects: Only what concerns these; None: all, and the host itself.
            with_collectable: Also what housekeeping would take away, where all is told.
        """
        status = await self._status.now(with_environments=False, with_names=projects is None)
        counted, whole = self._meters.counted(), projects is None
        return HostShape(
            version=status.version, state=status.state, uptime_seconds=status.uptime_seconds,
            reasons=tuple(map(reason_shape, status.reasons)),
            slots=tuple(
                SlotsShape(kind=kind, taken=taken, total=total, waiting=waiting)
                for kind, (taken, total, waiting) in self._meters.slots().items()
            ),
            waiting=await self._waiting(projects),
            certificates=soonest(
                item for item in self._certificates.all() if projects is None or item.project in projects
            ),
            disk=await self._disk(counted) if whole else None,
            collectable=_largest(collect_shape(counted.going)) if counted and whole and with_collectable else None,
            loops=tuple(
                LoopShape(name=name, failures=failures, failing=failing)
                for name, (failures, failing) in sorted(self._meters.loops().items()) if failures
            ) if whole else (),
        )

    async def _waiting(self, projects: Sequence[str] | None) -> tuple[ActivityShape, ...]:
        found: list[ActivityShape] = []
        for state in ("in_progress", "pending"):
            found += await self._activities.latest(projects, None, state, MOST_WAITING)
        return tuple(sorted((item for item in found if item.waits), key=attrgetter("id")))

    async def _disk(self, counted: Counted | None) -> DiskShape:
        seen = await asyncio.to_thread(shutil.disk_usage, self._settings.state)
        kinds = [
            DiskKindShape(
                kind=item.kind, size_bytes=item.size_bytes, uncounted=item.uncounted, elsewhere=item.elsewhere,
            )
            for item in counted.kinds
        ] if counted else []
        if counted:
            rest = left_over(counted.kinds, seen.used)
            kinds.append(DiskKindShape(kind="other", size_bytes=rest, uncounted=0, elsewhere=False))
        return DiskShape(
            total_bytes=seen.total, free_bytes=seen.free, needed_bytes=self._settings.min_free_disk_mb * MEGABYTE,
            counted_at=iso(counted.at if counted else None), kinds=tuple(kinds),
            forecast=_forecast_shape(self._meters.forecast()),
        )


def reason_shape(text: str) -> ReasonShape:
    """A sentence of the status, its hint apart. Pure."""
    what, _, hint = text.partition(HINT)
    return ReasonShape(what=what, hint=hint)


def soonest(found: Iterable[CertificateShape]) -> tuple[CertificateShape, ...]:
    """First those that are refused, then by their end; a host of which nothing is asked is none. Pure."""
    told = [item for item in found if item.ends or item.state == "refused"]
    return tuple(sorted(told, key=lambda item: (item.state != "refused", item.ends, item.host))[:MOST_CERTIFICATES])


def _largest(found: CollectShape) -> CollectShape:
    return replace(found, things=found.things[:MOST_THINGS])


def _forecast_shape(found: DiskForecast | None) -> DiskForecastShape | None:
    if found is None:
        return None
    return DiskForecastShape(
        from_days=found.from_days, bytes_a_day=found.bytes_a_day, full_at=iso(found.full_at),
    )
