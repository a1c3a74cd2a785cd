"""An answer that many ask for and that is made at most so often."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable
from typing import Generic, TypeVar

T = TypeVar("T")


class Cached(Generic[T]):
    """Whoever comes while it is being made gets the one before, and waits only when there is none that is young enough:
    hundreds who ask do not stand in a queue because Docker takes its time."""

    def __init__(self, make: Callable[[], Awaitable[T]], seconds: float, *, while_made_seconds: float = 0.0) -> None:
        """
        Args:
            seconds: Older, and it is made anew.
            while_made_seconds: How much older it may be for those who come meanwhile.
        """
        self._make = make
        self._seconds = seconds
        self._while_made_seconds = while_made_seconds
        self._making = asyncio.Lock()
        self._seen: tuple[float, T] | None = None

    async def get(self) -> T:
        """The value, not older than it may be."""
        may_be = self._seconds + self._while_made_seconds * self._making.locked()
        if self._seen is not None and time.monotonic() - self._seen[0] <= may_be:
            return self._seen[1]
        async with self._making:
            if self._seen is None or time.monotonic() - self._seen[0] > self._seconds:
                self._seen = (time.monotonic(), await self._make())
            return self._seen[1]
