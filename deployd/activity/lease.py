"""The slot that an activity holds: one for building, then one for deploying; kept from the freeze to the end."""

from __future__ import annotations

from contextlib import AsyncExitStack
from typing import Any

from deployd.activity.admission import NOTHING_MORE, Need, Pool
from deployd.activity.journal import Journal
from deployd.activity.limits import Limits
from deployd.activity.log import Tell
from deployd.activity.table import Step, Table
from deployd.state.activities import Activity


class Lease:
    """Enter it; when it is left, what is held is given back."""

    def __init__(self, activity: Activity, table: Table[Any, Any], limits: Limits, tell: Tell) -> None:
        self._activity = activity
        self._table = table
        self._limits = limits
        self._tell = tell
        self._stack = AsyncExitStack()
        self._held: Pool | None = None

    async def __aenter__(self) -> Lease:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._stack.aclose()

    async def give_back(self) -> None:
        """Let others have what is held."""
        await self._stack.aclose()
        self._held = None

    def has(self, step: Step) -> bool:
        """Whether what the step needs is held already, or it needs nothing."""
        return step.admission is None or step.admission.pool is self._held

    async def ensure(self, step: Step, journal: Journal, need: Need) -> None:
        """Have a slot of the step's pool, and the memory; says so when it has to wait.

        What was begun before a restart of the daemon waits for nothing again: visitors may be held meanwhile.

        Raises:
            NeverFits: It needs more memory than there can ever be.
        """
        if step.admission is None or self.has(step):
            return
        pool = step.admission.pool
        await self.give_back()
        begun = any(journal.last(other.name) for other in self._table.steps if other.pool is pool)
        try:
            await self._stack.enter_async_context(self._limits.pools[pool].hold(
                self._activity.project, NOTHING_MORE if begun else need, self._say, at_once=begun,
            ))
        finally:
            self._limits.waits.done(self._activity.id)
        self._held = pool

    def _say(self, why: str) -> None:
        self._tell.line(f"waits: {why}")
        self._limits.waits.say(self._activity.id, f"waits: {why}")
