"""How many builds and deployments run at once, fairly over projects: a busy one cannot starve the others."""

from __future__ import annotations

import asyncio
from collections import OrderedDict, deque
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager


class Slots:
    """A semaphore whose waiters are served round-robin by project."""

    def __init__(self, count: int) -> None:
        self._free = count
        self._waiting: OrderedDict[str, deque[asyncio.Future[None]]] = OrderedDict()

    @property
    def waiting(self) -> int:
        return sum(len(waiters) for waiters in self._waiting.values())

    @asynccontextmanager
    async def hold(self, project: str, on_wait: Callable[[], None] = lambda: None) -> AsyncIterator[None]:
        """One slot, as long as the block lasts; `on_wait` is called when it is not free at once."""
        await self._take(project, on_wait)
        try:
            yield
        finally:
            self._give_back()

    async def _take(self, project: str, on_wait: Callable[[], None]) -> None:
        if self._free > 0:
            self._free -= 1
            return
        on_wait()
        turn: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._waiting.setdefault(project, deque()).append(turn)
        try:
            await turn
        except asyncio.CancelledError:
            if turn.done() and not turn.cancelled():   # the slot came in the same moment: pass it on
                self._give_back()
            raise

    def _give_back(self) -> None:
        while self._waiting:
            project, waiters = self._waiting.popitem(last=False)
            while waiters:
                turn = waiters.popleft()
                if turn.done():
                    continue
                if waiters:
                    self._waiting[project] = waiters   # at the end: the other projects come first
                turn.set_result(None)
                return
        self._free += 1
