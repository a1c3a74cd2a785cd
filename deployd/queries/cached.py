"""An answer that many ask for and that is made at most so often."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable
from typing import Generic, TypeVar

T = TypeVar("T")


class Cached(Generic[T]):
    """Whoever comes while it is being made waits for the same one."""

    def __init__(self, make: Callable[[], Awaitable[T]], seconds: float) -> None:
        self._make = make
        self._seconds = seconds
        self._making = asyncio.Lock()
        self._seen: tuple[float, T] | None = None

    async def get(self) -> T:
        """The value, at most so many seconds old."""
        async with self._making:
            if self._seen is None or time.monotonic() - self._seen[0] > self._seconds:
                self._seen = (time.monotonic(), await self._make())
            return self._seen[1]
