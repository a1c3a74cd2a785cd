"""How much each token has under way at once: requests of the API, logs that are followed, transfers of git.

Each costs a connection, and some a process or a thread; nobody may take so many that none are left for the others.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from typing import ClassVar

from deployd.errors import DeployError


class TooMany(DeployError):
    """A token has as much under way as it may."""

    code: ClassVar[str] = "too-many"


class RequestLimit:
    """Whoever has as many under way as it may is refused a further one. One for each face."""

    def __init__(self, most: int) -> None:
        self._most = most
        self._taken: Counter[str] = Counter()

    @contextmanager
    def take(self, token: str) -> Iterator[None]:
        """One of them for as long as the block lasts.

        Raises:
            TooMany: The token has as many as it may.
        """
        if self._taken[token] >= self._most:
            raise TooMany(
                f"the token {token} has {self._most} requests under way already", where="shares.streams",
                hint="end some of them, or wait until they have ended",
            )
        self._taken[token] += 1
        try:
            yield
        finally:
            self._taken[token] -= 1
            if not self._taken[token]:
                del self._taken[token]


class RequestQueue:
    """For what costs much and is soon done: a few at once, fewer of one (a token, an address); all others wait in their
    order, and none is refused."""

    def __init__(self, most: int, most_of_one: int) -> None:
        self._all = asyncio.Semaphore(most)
        self._most_of_one = most_of_one
        self._of: dict[str, asyncio.Semaphore] = {}
        self._there: Counter[str] = Counter()

    @asynccontextmanager
    async def take(self, who: str) -> AsyncIterator[None]:
        """One's turn, for as long as the block lasts."""
        own = self._of.setdefault(who, asyncio.Semaphore(self._most_of_one))
        self._there[who] += 1
        try:
            async with own, self._all:
                yield
        finally:
            self._there[who] -= 1
            if not self._there[who]:   # there are many addresses
                del self._there[who], self._of[who]
