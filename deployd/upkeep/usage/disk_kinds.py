"""What takes up the disk, by kind, and what of it housekeeping would take away: counted from time to time.

A round begins ten minutes after the last one, or later: counting may take a hundredth of the time and no more.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from deployd.activity.error_boundary import ErrorBoundary
from deployd.clock import Clock
from deployd.confined.trees import size_of
from deployd.engine.engine import Engine
from deployd.engine.names import instance_labels
from deployd.release.paths import Places
from deployd.upkeep.collect.collector import Collector, Round
from deployd.upkeep.collect.look import UNCOUNTED_BYTES
from deployd.upkeep.collect.things import Thing
from deployd.upkeep.usage.disks import PAUSE_SECONDS, SHARE, Disks

FIRST_SECONDS = 10.0
LIMIT_SECONDS = 60.0
OF_ENGINE = frozenset({"image", "volume"})
"""Kinds that lie in the engine's folder, which may be on another disk."""
OF_HOUSEKEEPING = frozenset({"slug", "cache", "kept result", "workspace", "version", "snapshot", "volume", "data"})
"""Kinds of which housekeeping looks at all that there are."""


@dataclass(frozen=True, slots=True)
class DiskKind:
    kind: str
    size_bytes: int
    uncounted: int = 0
    """Things of this kind that have too many files to be counted."""
    elsewhere: bool = False
    """On another disk."""


@dataclass(frozen=True, slots=True)
class Counted:
    at: datetime
    kinds: tuple[DiskKind, ...]
    """The largest first."""
    going: Round
    """What housekeeping would take away."""


class DiskKinds:
    """Knows what was counted last."""

    def __init__(
        self, engine: Engine, places: Places, collector: Collector, disks: Disks, clock: Clock, boundary: ErrorBoundary,
        instance: str,
    ) -> None:
        """
        Args:
            disks: Which counts mounts by itself.
        """
        self._engine = engine
        self._places = places
        self._collector = collector
        self._disks = disks
        self._clock = clock
        self._instance = instance
        self._boundary = boundary
        self.known: Counted | None = None
        """None: not counted yet."""

    async def serve(self) -> None:
        loop = asyncio.get_running_loop()
        await asyncio.sleep(FIRST_SECONDS)
        while True:
            began = loop.time()
            with self._boundary.contain("counting what takes up the disk"):
                await self.count()
            await asyncio.sleep(max(PAUSE_SECONDS, SHARE * (loop.time() - began)))

    async def count(self) -> None:
        """One round."""
        things, going = await self._collector.survey()
        sizes = by_kind(things)
        sizes["mount"] = (sum(size for part, size in self._disks.known.items() if part.kind != "service"), 0)
        for kind, folders in _folders(self._places).items():
            with self._boundary.contain(f"counting the disk for {kind}"):
                sizes[kind] = (sum([await size_of(folder, limit_seconds=LIMIT_SECONDS) for folder in folders]), 0)
        with self._boundary.contain("counting the disk for images"):
            sizes["image"] = (await self._engine.images_bytes(), 0)
        elsewhere = await self._is_engine_elsewhere()
        self.known = Counted(self._clock.now(), tuple(sorted(
            (DiskKind(kind, size, uncounted, elsewhere and kind in OF_ENGINE)
             for kind, (size, uncounted) in sizes.items() if size or uncounted),
            key=lambda item: (-item.size_bytes, item.kind),
        )), going)

    async def _is_engine_elsewhere(self) -> bool:
        volumes = await self._engine.volumes(instance_labels(self._instance))
        return await asyncio.to_thread(
            lambda: any(_is_other_disk(volume.folder, self._places.state) for volume in volumes[:1]),
        )


def _folders(places: Places) -> Mapping[str, tuple[Path, ...]]:
    """Of kinds at which housekeeping does not look as a whole."""
    return {
        "log": (places.logs,), "output": (places.all_output,), "repository": (places.state / "repos",),
        "going": (places.going,),
        "database": tuple(places.state / f"state.db{end}" for end in ("", "-wal", "-shm")),
    }


def by_kind(things: Iterable[Thing]) -> dict[str, tuple[int, int]]:
    """{kind: (bytes, how many could not be counted)}. Pure."""
    sizes: Counter[str] = Counter()
    uncounted: Counter[str] = Counter()
    for thing in things:
        if thing.kind in OF_HOUSEKEEPING:
            # The data of an environment is several folders together: one that is not counted makes all of it so.
            is_counted = thing.size_bytes < UNCOUNTED_BYTES
            sizes[thing.kind] += thing.size_bytes if is_counted else 0
            uncounted[thing.kind] += not is_counted
    return {kind: (size, uncounted[kind]) for kind, size in sizes.items()}


def left_over(kinds: Iterable[DiskKind], used_bytes: int) -> int:
    """What else is on the disk. Pure."""
    return max(0, used_bytes - sum(item.size_bytes for item in kinds if not item.elsewhere))


def _is_other_disk(one: Path, other: Path) -> bool:
    try:
        return one.stat().st_dev != other.stat().st_dev
    except OSError:
        return False
