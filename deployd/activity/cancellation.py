"""The cancellation of an activity that runs: it ends the step under way, unless it comes too late.

A person asks for it, or a newer push. The same way somebody says that a stuck undo is to be tried at once.

`CancelledError` is not used for this: it means one thing, that the daemon stops, and then the activity stays open.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress


class CancellationCame(Exception):
    """A cancellation ended the scope."""


class Hold(Exception):
    """A step found that the activity has to wait until somebody lets it go on; what it began is undone."""


class TimeOver(Exception):
    """The scope's own time is over. Not a `TimeoutError`: a step may raise one of its own, which is another thing."""


class Cancellation:
    """Whether somebody wants a running activity to end. The journal has it before it is requested here."""

    def __init__(self) -> None:
        self.requested = False
        self.too_late = False
        """The activity is past its way back: a cancellation changes nothing any more."""
        self._scope: asyncio.Timeout | None = None
        self._nudged = asyncio.Event()

    def nudge(self) -> None:
        """End the pause before an undo that is stuck is tried again."""
        self._nudged.set()

    async def pause(self, seconds: float) -> None:
        """Wait so long, or until somebody nudges."""
        self._nudged.clear()
        with suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                await self._nudged.wait()

    def request(self) -> None:
        """End the step that is under way; from the switch on nothing is ended. May be asked twice."""
        self.requested = True
        if self._scope is not None and not self._scope.expired():
            self._scope.reschedule(asyncio.get_running_loop().time())

    @asynccontextmanager
    async def limit(self, seconds: float | None, *, may_end: bool) -> AsyncIterator[None]:
        """The scope of a step or of a wait: its time limit, ended early by a cancellation.

        Raises:
            CancellationCame: There is a cancellation, and it may end this scope.
            TimeOver: The time is over.
        """
        self.too_late = not may_end
        if self.requested and may_end:
            raise CancellationCame
        scope = asyncio.timeout(seconds)
        try:
            async with scope:
                self._scope = scope if may_end else None
                try:
                    yield
                finally:
                    self._scope = None
        except TimeoutError:
            if not scope.expired():
                raise
            raise (CancellationCame if self.requested and may_end else TimeOver) from None
