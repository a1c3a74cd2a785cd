"""A person's cancel, or a newer push, for an activity that runs. It ends the step under way, unless it comes too late.

`CancelledError` is not used for this: it means one thing, that the daemon stops, and then the activity stays open.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager


class Wish:
    """Whether somebody wants a running activity to end. The journal has the wish before it is asked for here."""

    def __init__(self) -> None:
        self.asked = False
        self._scope: asyncio.Timeout | None = None

    def ask(self) -> None:
        """End the step that is under way; from the switch on nothing is ended."""
        self.asked = True
        if self._scope is not None:
            self._scope.reschedule(asyncio.get_running_loop().time())

    @asynccontextmanager
    async def limit(self, seconds: float, *, may_end: bool) -> AsyncIterator[None]:
        """The scope of a step: its time limit, ended early by a wish.

        Raises:
            TimeoutError: The time is over, or the wish came.
        """
        async with asyncio.timeout(0 if self.asked and may_end else seconds) as scope:
            self._scope = scope if may_end else None
            try:
                yield
            finally:
                self._scope = None
