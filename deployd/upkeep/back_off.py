"""How often something may be started again, and what has ended again and again. Pure: moments are handed in."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable

FIRST_SECONDS, LONGEST_SECONDS = 1.0, 60.0
LONG_ENOUGH_SECONDS = 300.0
"""What has run so long begins anew with the shortest pause."""
MOST_DEATHS = 3
"""So many within LONG_ENOUGH_SECONDS are told."""


class BackOff:
    """Starts and ends of containers, by their names."""

    def __init__(self) -> None:
        self._starts: dict[str, tuple[int, float]] = {}
        self._deaths: dict[str, deque[float]] = {}

    def wait_seconds(self, name: str, now: float) -> float:
        """How long until it may be started again; 0 when it may be now."""
        count, last = self._starts.get(name, (0, now))
        pause = 0.0 if count == 0 else min(FIRST_SECONDS * 2 ** (count - 1), LONGEST_SECONDS)
        return max(0.0, last + pause - now)

    def started(self, name: str, now: float) -> None:
        count, last = self._starts.get(name, (0, now))
        self._starts[name] = (1 if now - last > LONG_ENOUGH_SECONDS else count + 1, now)

    def died(self, name: str, now: float) -> None:
        self._deaths.setdefault(name, deque(maxlen=20)).append(now)

    def deaths(self, name: str, now: float) -> int:
        """How often it has ended of late, when that is often enough to be told; else 0."""
        found = self._deaths.get(name)
        while found and now - found[0] > LONG_ENOUGH_SECONDS:
            found.popleft()
        return len(found) if found and len(found) >= MOST_DEATHS else 0

    def keep_only(self, prefix: str, names: Iterable[str]) -> None:
        """Forget what begins with a prefix and is not named: containers of versions that are gone."""
        kept = set(names)
        for known in (self._starts, self._deaths):
            for name in [name for name in known if name.startswith(prefix) and name not in kept]:
                del known[name]
