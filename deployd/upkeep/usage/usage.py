"""All figures of all containers, for whoever asks, and a look once a minute at what the kernel killed."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Mapping
from contextlib import suppress
from datetime import datetime
from pathlib import Path

from deployd.activity.error_boundary import ErrorBoundary
from deployd.clock import Clock
from deployd.engine.container_cache import ContainerCache
from deployd.engine.engine import Engine
from deployd.engine.observed import ContainerSeen, EventSeen, GroupFigures
from deployd.ids import EnvironmentId
from deployd.upkeep.usage.disks import Disks
from deployd.upkeep.usage.kills import Before, Kills
from deployd.upkeep.usage.parts import Part, Use, added, bounded, part_of

LOOK_SECONDS = 60.0
SETTLE_SECONDS = 15.0
"""After a container was started: a deployment starts many, and has the first word."""
SOON_SECONDS = 0.2
"""After Docker told of a kill: more come together."""
MOST_AT_ONCE = 50
"""Containers that Docker is asked for in one look."""
FRESH_SECONDS = 1.0
MOST_TOLD = 20
"""Sentences on `/status`."""


class Usage:
    """Knows of each container what only Docker knows, asked once for each start: its restarts and its process."""

    def __init__(
        self, engine: Engine, cache: ContainerCache, disks: Disks, clock: Clock, kept: Path,
        boundary: ErrorBoundary | None = None,
    ) -> None:
        """
        Args:
            kept: The file in which counts outlive the daemon, and not the host's start, as the groups do.
        """
        self._engine = engine
        self._cache = cache
        self._disks = disks
        self._kept = kept
        self._boundary = boundary or ErrorBoundary("usage")
        self._kills = Kills(clock, _read(kept))
        self._written: dict[str, Before] | None = None
        self._details: dict[str, ContainerSeen] = {}
        """{container: as it was after its last start}"""
        self._asked: set[str] = set()
        self._stale: set[str] = set()
        self._news = asyncio.Event()
        self._settle = SETTLE_SECONDS
        self._reading = asyncio.Lock()
        self._read_at = float("-inf")
        self._shown: list[Use] = []

    def hear(self, event: EventSeen) -> None:
        """Of Docker: what was started has other figures, and of what was killed a group may know nothing any more."""
        if event.kind != "container":
            return
        if event.action == "start":
            self._stale.add(event.id)
            self._news.set()
        elif event.action == "oom" and (part := part_of_labels(event)) is not None:
            self._kills.told(event.id, part)
            self._settle = SOON_SECONDS
            self._news.set()

    async def serve(self) -> None:
        """Look at what was killed, and at what was started, for ever."""
        while True:
            self._news.clear()   # before the look: what comes meanwhile is looked at in the next one
            with self._boundary.contain("the look at what was killed"):
                await self.look()
            with suppress(TimeoutError):
                async with asyncio.timeout(LOOK_SECONDS):
                    await self._news.wait()
                    await asyncio.sleep(self._settle)
            self._settle = SETTLE_SECONDS

    async def look(self) -> None:
        """One look at all."""
        containers = [item for item in await self._cache.containers() if part_of(item) is not None]
        await self._ask_for_details(containers)
        for container, count, limit_bytes in await asyncio.to_thread(self._count, containers):
            part = part_of(container)
            assert part is not None
            self._kills.counted(container.id, part, count, limit_bytes)
        self._kills.looked()
        self._kills.forget_old({item.id for item in containers})
        if self._kills.seen != self._written:
            self._written = self._kills.seen
            await asyncio.to_thread(_write, self._kept, self._written)

    async def for_monitors(self) -> list[Use]:
        """All of it, bounded for each environment, and read once a second however many ask: they need no token."""
        async with self._reading:
            now = asyncio.get_running_loop().time()
            if now - self._read_at > FRESH_SECONDS:
                self._shown, self._read_at = bounded(await self.uses()), now
            return self._shown

    async def uses(self, project: str | None = None, environment: str | None = None) -> list[Use]:
        """What every part uses now, in their order."""
        containers = [
            (part, item) for item in await self._cache.containers() if (part := part_of(item)) is not None
            and project in (None, part.project) and environment in (None, part.environment)
        ]
        read = await asyncio.to_thread(
            lambda: [self._figures(item) if item.running else None for _, item in containers],
        )
        found: dict[Part, Use] = {}
        for (part, container), figures in zip(containers, read, strict=True):
            use = self._use(part, container, figures)
            found[part] = added(found[part], use) if part in found else use
        for part, size in self._disks.known.items():
            if project in (None, part.project) and environment in (None, part.environment):
                found[part] = added(found.get(part, Use(part)), Use(part, disk_bytes=size))
        return [found[part] for part in sorted(found)]

    def troubles(self) -> list[str]:
        """What was killed lately, for `/status`."""
        told = self._kills.sentences()
        more = len(told) - MOST_TOLD
        return told if more <= 0 else [*told[:MOST_TOLD], f"and {more} more were killed because their memory was full"]

    def killed(self, environment: EnvironmentId) -> list[str]:
        """What was killed lately in one environment."""
        return self._kills.sentences(*environment)

    def _use(self, part: Part, container: ContainerSeen, figures: GroupFigures | None) -> Use:
        kills, killed_at = self._kills.of(container.id)
        known = self._details.get(container.id)
        restarts = known.restarts if known else 0
        if figures is None:
            return Use(part, restarts=restarts, kills=kills, killed_at=killed_at)
        return Use(
            part, 1, figures.cpu_seconds, figures.memory_bytes, figures.memory_limit_bytes, restarts,
            max(kills, figures.kills), killed_at,
        )

    def _figures(self, container: ContainerSeen) -> GroupFigures | None:
        return self._engine.figures(self._known(container))

    def _count(self, containers: list[ContainerSeen]) -> list[tuple[ContainerSeen, int, int | None]]:
        """(container, how many were killed, its limit when there were some)"""
        found = [(item, self._engine.kills(self._known(item))) for item in containers if item.running]
        return [
            (item, count, figures.memory_limit_bytes if count and (figures := self._figures(item)) else None)
            for item, count in found if count is not None
        ]

    def _known(self, container: ContainerSeen) -> ContainerSeen:
        """With what a list does not say of it."""
        return self._details.get(container.id, container)

    async def _ask_for_details(self, containers: list[ContainerSeen]) -> None:
        here = {item.id for item in containers}
        self._details = {name: seen for name, seen in self._details.items() if name in here}
        self._asked &= here
        wanted = sorted(here & (self._stale | (here - self._asked)))
        for name in wanted[:MOST_AT_ONCE]:
            self._stale.discard(name)
            self._asked.add(name)
            with self._boundary.contain("asking for a container"):
                seen = await self._engine.container(name)
                if seen is not None:
                    self._details[name] = seen
        self._stale &= here
        if len(wanted) > MOST_AT_ONCE:
            self._news.set()   # the others soon, and not all of a thousand environments at once


def part_of_labels(event: EventSeen) -> Part | None:
    """Whose container an event is about."""
    labels = event.labels
    return part_of(ContainerSeen(event.name, event.id, "", "", labels, True, None, "none", {}))


def _read(kept: Path) -> Mapping[str, Before] | None:
    try:
        return {
            str(name): Before(int(count), datetime.fromisoformat(at) if at else None)
            for name, (count, at) in json.loads(kept.read_bytes()).items()
        }
    except (OSError, ValueError, AttributeError, TypeError):
        return None


def _write(kept: Path, seen: Mapping[str, Before]) -> None:
    unfinished = kept.with_suffix(".new")
    found = {name: (item.count, item.at.isoformat() if item.at else "") for name, item in seen.items()}
    unfinished.write_text(json.dumps(found))
    unfinished.rename(kept)
