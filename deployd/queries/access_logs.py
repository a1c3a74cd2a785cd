"""Access logs: requests of visitors."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from weakref import WeakSet

from deployd.queries.environments import EnvironmentQueries
from deployd.release.paths import Places
from deployd.upkeep.access_tail import AccessTail


@dataclass(frozen=True, slots=True, kw_only=True)
class RequestShape:
    """A request of a visitor, from the access log."""

    at: str
    """When its answer was complete: ISO 8601."""
    client: str
    """Address."""
    method: str
    host: str
    path: str
    """With the query, as the client wrote it."""
    protocol: str
    status: int
    """0: the client left before there was an answer."""
    bytes: int
    """Of the answer, without its head."""
    seconds: float
    """From the first byte of the request to the last of the answer, with what it was held."""
    cache: str
    """`HIT`, `MISS`, `BYPASS` or empty."""
    referer: str
    user_agent: str
    request: str
    """Its id, as in `X-Request-Id`."""


class AccessLogQueries:
    def __init__(
        self, places: Places, environments: EnvironmentQueries, tails: WeakSet[AccessTail], turns: asyncio.Semaphore,
    ) -> None:
        """
        Args:
            tails: Where every reader is kept as long as somebody reads, for whoever ends them.
            turns: Which all readers take for each chunk.
        """
        self._places = places
        self._environments = environments
        self._tails = tails
        self._turns = turns

    async def follow(self, project: str, environment: str, lines: int) -> AccessTail:
        """The last requests of an environment (machine name or branch), and those that come.

        Raises:
            NotFound: There is no such environment.
        """
        found = await self._environments.find(project, environment)
        tail = AccessTail(self._places.access_log(found.id), lines, self._turns)
        self._tails.add(tail)
        return tail
