"""Housekeeping: a round of it now."""

from __future__ import annotations

from deployd.queries.housekeeping import CollectShape, collect_shape
from deployd.upkeep.collect.collector import Collector


class HousekeepingCommands:
    def __init__(self, collector: Collector) -> None:
        self._collector = collector

    async def collect(self, who: str, *, deleted: bool) -> CollectShape:
        """Take away now what nobody needs.

        Args:
            deleted: Also data of deleted environments whose time of grace is not over.
        """
        return collect_shape(await self._collector.collect(who, deleted=deleted))
