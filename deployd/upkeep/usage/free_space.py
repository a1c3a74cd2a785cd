"""How much of the disk was free, hour by hour over two weeks, and when it will be full if that goes on."""

from __future__ import annotations

import asyncio
import json
import shutil
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from deployd.activity.error_boundary import ErrorBoundary
from deployd.clock import Clock

EVERY_SECONDS = 3600.0
MOST_SAMPLES = 14 * 24
LEAST = timedelta(days=1)
"""Nothing is foretold from less."""
FURTHEST = timedelta(days=3 * 365)
"""Of what is later than that nobody knows anything."""


@dataclass(frozen=True, slots=True)
class Sample:
    at: datetime
    free_bytes: int
    total_bytes: int


@dataclass(frozen=True, slots=True)
class DiskForecast:
    from_days: float
    """So long a time it is made from."""
    bytes_a_day: int
    """That the disk gets fuller by; negative: emptier."""
    full_at: datetime | None
    """None: not within years."""


def forecast(samples: Sequence[Sample], now: datetime) -> DiskForecast | None:
    """When the disk is full, by the straight line that lies nearest to what was seen. Pure.

    Args:
        samples: Oldest first. Those from before the disk got its size do not count.

    Returns:
        None: they are of less than a day.
    """
    if not samples:
        return None
    last = samples[-1]
    counted = [item for item in samples if item.total_bytes == last.total_bytes]
    length = last.at - counted[0].at
    if length < LEAST:
        return None
    rate = -_slope([((item.at - counted[0].at) / timedelta(days=1), item.free_bytes) for item in counted])
    full = None
    if rate > 0 and (days := last.free_bytes / rate) * timedelta(days=1) <= FURTHEST:
        full = max(now, last.at + timedelta(days=days))
    return DiskForecast(round(length / timedelta(days=1), 1), round(rate), full)


def _slope(points: Sequence[tuple[float, float]]) -> float:
    """Of the line with the least squares."""
    middle_x, middle_y = (sum(values) / len(points) for values in zip(*points, strict=True))
    spread = sum((x - middle_x) ** 2 for x, _ in points)
    return sum((x - middle_x) * (y - middle_y) for x, y in points) / spread if spread else 0.0


class FreeSpace:
    """Looks once an hour, and keeps what it saw beside what is measured."""

    def __init__(self, folder: Path, clock: Clock, boundary: ErrorBoundary) -> None:
        """
        Args:
            folder: On the disk, and where the file is kept.
        """
        self._folder = folder
        self._kept = folder / "free-space.json"
        self._clock = clock
        self._boundary = boundary
        self._samples: list[Sample] = []

    async def serve(self) -> None:
        self._samples = await asyncio.to_thread(read_samples, self._kept)
        while True:
            with self._boundary.contain("looking at the free space"):
                await self.look()
            await asyncio.sleep(EVERY_SECONDS)

    async def look(self) -> None:
        """A start of the daemon within the hour adds nothing: the file would fill with them."""
        now = self._clock.now()
        earlier = [item for item in self._samples if item.at <= now]   # a clock that was set back
        if earlier and now - earlier[-1].at < timedelta(seconds=EVERY_SECONDS * 0.9):
            return
        seen = await asyncio.to_thread(shutil.disk_usage, self._folder)
        self._samples = [*earlier, Sample(now, seen.free, seen.total)][-MOST_SAMPLES:]
        await asyncio.to_thread(write_samples, self._kept, self._samples)

    def forecast(self) -> DiskForecast | None:
        """None: it is known for less than a day."""
        return forecast(self._samples, self._clock.now())


def read_samples(file: Path) -> list[Sample]:
    """What was written; of a damaged file nothing. Blocking."""
    with suppress(OSError, ValueError, TypeError, OverflowError):
        values: list[Any] = json.loads(file.read_text())
        return sorted(
            (Sample(datetime.fromtimestamp(at, UTC), int(free), int(total)) for at, free, total in values),
            key=lambda item: item.at,
        )[-MOST_SAMPLES:]
    return []


def write_samples(file: Path, samples: Sequence[Sample]) -> None:
    """Blocking."""
    new = file.with_name(f"{file.name}.new")
    new.write_text(json.dumps([[int(item.at.timestamp()), item.free_bytes, item.total_bytes] for item in samples]))
    new.replace(file)
