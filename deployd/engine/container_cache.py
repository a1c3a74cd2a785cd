"""All containers of an installation, listed anew only when the engine told of a change.

A list of hundreds takes an engine some milliseconds for each reader who asks.
"""

from __future__ import annotations

import asyncio

from deployd.engine.engine import Containers
from deployd.engine.names import instance_labels
from deployd.engine.observed import ContainerSeen, EventSeen

CHANGES = frozenset({"create", "start", "die", "destroy", "rename"})
OLDEST_SECONDS = 120.0
"""While the stream of events is broken nobody tells of a change."""


class ContainerCache:
    """Lists all, for everybody who wants to know."""

    def __init__(self, engine: Containers, instance: str) -> None:
        self._engine = engine
        self._labels = instance_labels(instance)
        self._listing = asyncio.Lock()
        self._found: tuple[ContainerSeen, ...] = ()
        self._listed = -1
        self._listed_at = float("-inf")
        self.generation = 0
        """Another number when containers came or went."""

    def hear(self, event: EventSeen) -> None:
        if event.kind == "container" and event.action in CHANGES:
            self.generation += 1

    async def containers(self) -> tuple[ContainerSeen, ...]:
        """As they were when the last change was heard of, or two minutes ago."""
        async with self._listing:
            now = asyncio.get_running_loop().time()
            if self._listed != self.generation or now - self._listed_at > OLDEST_SECONDS:
                generation = self.generation   # before the question: what changes meanwhile is asked for again
                self._found = await self._engine.containers(self._labels)
                self._listed, self._listed_at = generation, now
            return self._found
