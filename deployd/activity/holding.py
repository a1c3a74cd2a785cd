"""The slot that an activity holds: one for building, then one for deploying; kept from the freeze to the end."""

from __future__ import annotations

from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from typing import Any

from deployd.activity.journal import Journal
from deployd.activity.log import Tell
from deployd.activity.slots import NOTHING_MORE, Need, Slots
from deployd.activity.table import Step, Table
from deployd.activity.waits import Waits
from deployd.state.activities import Activity

BUILDING = frozenset({"build", "slug"})
DEPLOYING = frozenset({"deploy", "hooks", "route"})


@dataclass(frozen=True, slots=True)
class Limits:
    """What all activities share."""

    builds: Slots
    deploys: Slots
    waits: Waits = field(default_factory=Waits)


class Holding:
    """Enter it; when it is left, what is held is given back."""

    def __init__(self, activity: Activity, table: Table[Any, Any], limits: Limits, tell: Tell) -> None:
        self._activity = activity
        self._table = table
        self._limits = limits
        self._tell = tell
        self._stack = AsyncExitStack()
        self._held = ""

    async def __aenter__(self) -> Holding:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._stack.aclose()

    def has(self, step: Step) -> bool:
        """Whether what the step needs is held already, or it needs nothing."""
        wanted = _slots_of(step.phase)
        return not wanted or wanted == self._held

    async def ensure(self, step: Step, journal: Journal, need: Need) -> None:
        """Have the slot of the step's phase, and the memory; says so when it has to wait.

        What was begun before a restart of the daemon waits for nothing again: visitors may be held meanwhile.

        Raises:
            NeverFits: It needs more memory than there can ever be.
        """
        if self.has(step):
            return
        wanted = _slots_of(step.phase)
        await self._stack.aclose()
        self._held = ""
        begun = any(_slots_of(other.phase) == wanted and journal.last(other.name) for other in self._table.steps)
        slots: Slots = getattr(self._limits, wanted)
        try:
            await self._stack.enter_async_context(slots.hold(
                self._activity.project, NOTHING_MORE if begun else need, self._say, at_once=begun,
            ))
        finally:
            self._limits.waits.done(self._activity.id)
        self._held = wanted

    def _say(self, why: str) -> None:
        self._tell.line(f"waits: {why}")
        self._limits.waits.say(self._activity.id, f"waits: {why}")


def _slots_of(phase: str) -> str:
    return "builds" if phase in BUILDING else "deploys" if phase in DEPLOYING else ""
