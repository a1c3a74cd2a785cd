"""Housekeeping: what nobody needs any more, and what a round of it took away."""

from __future__ import annotations

from dataclasses import dataclass

from deployd.upkeep.collect.collector import Collector, Round


@dataclass(frozen=True, slots=True, kw_only=True)
class ThingShape:
    """Something that housekeeping takes away."""

    kind: str
    """`slug`, `image`, `cache`, `data`, `volume`, `snapshot`, `version`, `workspace` or `log`."""
    name: str
    why: str
    size_bytes: int
    unneeded_since: str
    """When a round first saw that nobody needs it: ISO 8601, UTC."""


@dataclass(frozen=True, slots=True, kw_only=True)
class CollectShape:
    """What a round of housekeeping took away, or would take away."""

    at: str
    size_bytes: int
    disk_is_short: bool
    """What can be made again went without its time of grace."""
    things: tuple[ThingShape, ...]


class HousekeepingQueries:
    def __init__(self, collector: Collector) -> None:
        self._collector = collector

    async def collectable(self, *, deleted: bool) -> CollectShape:
        """What would be taken away now.

        Args:
            deleted: Also data of deleted environments whose time of grace is not over.
        """
        return collect_shape(await self._collector.preview(deleted=deleted))


def collect_shape(found: Round) -> CollectShape:
    things = tuple(
        ThingShape(
            kind=going.thing.kind, name=going.thing.name, why=going.thing.why, size_bytes=going.thing.size_bytes,
            unneeded_since=going.unneeded_since.isoformat(),
        )
        for going in found.going
    )
    return CollectShape(
        at=found.at.isoformat(), size_bytes=found.size_bytes, disk_is_short=found.short, things=things,
    )
