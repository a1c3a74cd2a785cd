"""How many builds and deployments run at once, and in how much memory; fairly over projects.

Who waits stands in the queue of its project, production first, and the projects take turns: a busy one cannot starve
the others. Turns alone do not help against what lasts an hour, so a project has a share of the slots and never holds
more: one is left for the others, whenever they come. The one whose turn it is is never overtaken, so that something
large is not kept waiting by what is small; only a project that has its share lets the others pass.
"""

from __future__ import annotations

import asyncio
from collections import Counter, OrderedDict, deque
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import ClassVar

from deployd.activity.admission import NOTHING_MORE, Need
from deployd.activity.error_boundary import ErrorBoundary
from deployd.activity.memory import Memory
from deployd.errors import DeployError

LOOK_AGAIN_SECONDS = 2.0
"""Memory comes free without anybody telling."""


class NeverFits(DeployError):
    """It needs more memory than there can ever be."""

    code: ClassVar[str] = "never-fits"


@dataclass(eq=False)
class _Waiter:
    need: Need
    tell: Callable[[str], None]
    turn: asyncio.Future[None]
    boundary: ErrorBoundary
    told: str = ""

    def wait_for(self, kind: str, why: str) -> None:
        """Tell why it waits, once for each kind of reason: figures change all the time."""
        if kind != self.told:
            self.told = kind
            with self.boundary.contain("telling who waits"):   # whoever hears it: the others are served
                self.tell(why)


class Slots:
    """A semaphore whose waiters are served round-robin by project, and that looks at the memory as well."""

    def __init__(
        self, count: int, memory: Memory | None = None, *, what: str = "slots",
        share_of: Callable[[str], int] | None = None, of_production: int = 0, boundary: ErrorBoundary | None = None,
    ) -> None:
        """
        Args:
            what: What the slots are for, in words: `builds`.
            share_of: How many a project may hold at once; None: all.
            of_production: So many of a share that is larger are left for production.
        """
        self._count = self._free = count
        self._memory = memory
        self._what = what
        self._share_of = share_of or (lambda project: count)
        self._of_production = of_production
        self._boundary = boundary or ErrorBoundary("slots")
        self._held: Counter[str] = Counter()
        self._waiting: OrderedDict[str, deque[_Waiter]] = OrderedDict()
        self._looks_again: asyncio.TimerHandle | None = None

    @property
    def total(self) -> int:
        return self._count

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
                hint="lower build.memory_mb, or raise limits.memory_mb when the host has more",
            )
        if not need.slot:
            yield
            return
        if at_once:
            self._occupy(project, need)
        else:
            await self._take(project, need, on_wait)
        try:
            yield
        finally:
            self._give_back(project, need)

    async def _take(self, project: str, need: Need, on_wait: Callable[[str], None]) -> None:
        waiter = _Waiter(need, on_wait, asyncio.get_running_loop().create_future(), self._boundary)
        if self._waiting:
            obstacle = self._own_share(project, need) or self._obstacle(need)
            waiter.wait_for(*(obstacle or ("turn", "others come first")))
        self._line_up(self._waiting.setdefault(project, deque()), waiter)
        self._serve()
        try:
            await waiter.turn
        except asyncio.CancelledError:
            if waiter.turn.done() and not waiter.turn.cancelled():   # it came in the same moment: pass it on
                self._give_back(project, need)
            else:
                self._leave(project, waiter)
            raise

    @staticmethod
    def _line_up(waiters: deque[_Waiter], waiter: _Waiter) -> None:
        """Production stands before everything else of its project, in the order in which it came."""
        before = sum(other.need.is_production for other in waiters) if waiter.need.is_production else len(waiters)
        waiters.insert(before, waiter)

    def _serve(self) -> None:
        """Give what is free to those whose turn it is."""
        while self._serve_one():
            pass

    def _serve_one(self) -> bool:
        """Whether somebody was served, or was found to have left."""
        for project, waiters in self._waiting.items():
            waiter = waiters[0]
            if waiter.turn.done():   # it has left, and nobody has told its queue yet
                self._next_turn(project)
                return True
            if (share := self._own_share(project, waiter.need)) is not None:
                waiter.wait_for(*share)
                continue             # nobody but its own project is in its way: the others pass
            if (obstacle := self._obstacle(waiter.need)) is not None:
                waiter.wait_for(*obstacle)
                self._look_again_later()
                return False
            self._occupy(project, waiter.need)
            waiter.turn.set_result(None)
            self._next_turn(project)
            return True
        return False

    def _next_turn(self, project: str) -> None:
        """The first of a project goes, and the project to the end: the others come first."""
        waiters = self._waiting.pop(project)
        waiters.popleft()
        if waiters:
            self._waiting[project] = waiters

    def _occupy(self, project: str, need: Need) -> None:
        self._free -= 1
        self._held[project] += 1
        if self._memory is not None:
            self._memory.take(need.memory_mb)

    def _own_share(self, project: str, need: Need) -> tuple[str, str] | None:
        """(kind, words), when slots are free and the project has its share of them already."""
        share = self._share_of(project)
        if not need.is_production and share > self._of_production:
            share -= self._of_production
        if self._free <= 0 or self._held[project] < share:
            return None
        kept = "" if need.is_production or not self._of_production else "; the rest is for production"
        has = f"{project} has {self._held[project]} of the {self._count} slots for {self._what}"
        return "share", f"{has}, which is its share{kept}"

    def _obstacle(self, need: Need) -> tuple[str, str] | None:
        """(kind, words) of what stands in the way now."""
        if self._free <= 0:
            return "slots", f"all {self._count} slots for {self._what} are taken"
        if self._memory is not None and need.memory_mb > (free := self._memory.free_mb()):
            return "memory", (
                f"needs {need.memory_mb} MB for {need.what}, {max(0, free)} MB are free of {self._memory.total_mb} MB"
            )
        return None

    def _give_back(self, project: str, need: Need) -> None:
        self._free += 1
        self._held[project] -= 1
        if not self._held[project]:
            del self._held[project]
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
        with self._boundary.contain("looking at the memory again") as tried:
            self._serve()
        if tried.failed:   # no descriptor was left to ask the kernel with, say
            self._look_again_later()
