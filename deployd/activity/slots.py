"""How many builds and deployments run at once, and in how much memory; fairly over projects.

Who waits stands in the queue of its project, and the projects take turns: a busy one cannot starve the others. The one
whose turn it is is never overtaken, so that something large is not kept waiting by what is small.
"""

from __future__ import annotations

import asyncio
from collections import OrderedDict, deque
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import ClassVar

from deployd.activity.memory import Memory
from deployd.errors import DeployError

LOOK_AGAIN_SECONDS = 2.0
"""Memory comes free without anybody telling."""


class NeverFits(DeployError):
    """It needs more memory than there can ever be."""

    code: ClassVar[str] = "never-fits"


@dataclass(frozen=True, slots=True)
class Need:
    """What is wanted beside a slot."""

    memory_mb: int = 0
    what: str = ""
    """For people: `the build`."""


NOTHING_MORE = Need()


@dataclass(eq=False)
class _Waiter:
    need: Need
    tell: Callable[[str], None]
    turn: asyncio.Future[None]
    told: str = ""

    def wait_for(self, kind: str, why: str) -> None:
        """Tell why it waits, once for each kind of reason: figures change all the time."""
        if kind != self.told:
            self.told = kind
            self.tell(why)


class Slots:
    """A semaphore whose waiters are served round-robin by project, and that looks at the memory as well."""

    def __init__(self, count: int, memory: Memory | None = None, *, what: str = "slots") -> None:
        """
        Args:
            what: What the slots are for, in words: `builds`.
        """
        self._count = self._free = count
        self._memory = memory
        self._what = what
        self._waiting: OrderedDict[str, deque[_Waiter]] = OrderedDict()
        self._looks_again: asyncio.TimerHandle | None = None

    @property
    def taken(self) -> int:
        return self._count - self._free

    @property
    def waiting(self) -> int:
        return sum(len(waiters) for waiters in self._waiting.values())

    @asynccontextmanager
    async def hold(
        self, project: str, need: Need = NOTHING_MORE, on_wait: Callable[[str], None] = lambda _: None, *,
        at_once: bool = False,
    ) -> AsyncIterator[None]:
        """One slot and the memory, as long as the block lasts; `on_wait` is told why they are not free at once.

        Args:
            at_once: It had its slot before a restart of the daemon, and must not wait for it again.

        Raises:
            NeverFits: There is not so much memory, whoever else waits or ends.
        """
        if self._memory is not None and need.memory_mb > self._memory.total_mb:
            raise NeverFits(
                f"{need.what} needs {need.memory_mb} MB of memory, and all there can be is {self._memory.total_mb} MB",
                mend="lower build.memory_mb, or raise limits.memory_mb when the host has more",
            )
        if at_once:
            self._occupy(need)
        else:
            await self._take(project, need, on_wait)
        try:
            yield
        finally:
            self._give_back(need)

    async def _take(self, project: str, need: Need, on_wait: Callable[[str], None]) -> None:
        waiter = _Waiter(need, on_wait, asyncio.get_running_loop().create_future())
        if self._waiting:
            waiter.wait_for(*(self._obstacle(need) or ("turn", "others come first")))
        self._waiting.setdefault(project, deque()).append(waiter)
        self._serve()
        try:
            await waiter.turn
        except asyncio.CancelledError:
            if waiter.turn.done() and not waiter.turn.cancelled():   # it came in the same moment: pass it on
                self._give_back(need)
            else:
                self._leave(project, waiter)
            raise

    def _serve(self) -> None:
        """Give what is free to those whose turn it is."""
        while self._waiting:
            project, waiters = next(iter(self._waiting.items()))
            waiter = waiters[0]
            if not waiter.turn.done():   # else it has left, and nobody has told its queue yet
                obstacle = self._obstacle(waiter.need)
                if obstacle is not None:
                    waiter.wait_for(*obstacle)
                    self._look_again_later()
                    return
                self._occupy(waiter.need)
                waiter.turn.set_result(None)
            waiters.popleft()
            del self._waiting[project]
            if waiters:
                self._waiting[project] = waiters   # at the end: the other projects come first

    def _occupy(self, need: Need) -> None:
        self._free -= 1
        if self._memory is not None:
            self._memory.take(need.memory_mb)

    def _obstacle(self, need: Need) -> tuple[str, str] | None:
        """(kind, words) of what stands in the way now."""
        if self._free <= 0:
            return "slots", f"all {self._count} slots for {self._what} are taken"
        if self._memory is not None and need.memory_mb > (free := self._memory.free_mb()):
            return "memory", (
                f"needs {need.memory_mb} MB for {need.what}, {max(0, free)} MB are free of {self._memory.total_mb} MB"
            )
        return None

    def _give_back(self, need: Need) -> None:
        self._free += 1
        if self._memory is not None:
            self._memory.give_back(need.memory_mb)
        self._serve()

    def _leave(self, project: str, waiter: _Waiter) -> None:
        waiters = self._waiting.get(project, deque())
        if waiter in waiters:
            waiters.remove(waiter)
            if not waiters:
                del self._waiting[project]
        self._serve()   # who comes after it may fit

    def _look_again_later(self) -> None:
        if self._memory is not None and self._looks_again is None:
            self._looks_again = asyncio.get_running_loop().call_later(LOOK_AGAIN_SECONDS, self._look_again)

    def _look_again(self) -> None:
        self._looks_again = None
        self._serve()
