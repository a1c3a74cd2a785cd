"""How a durable thing is declared: a table of steps. It is the documentation, and the machine reads nothing else.

Pure. Phases are for people; steps are what the journal knows, by the name of the function that does them.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field, replace
from enum import Enum
from typing import Any, ClassVar, Generic, TypeVar

from deployd.activity.admission import Admission, Pool
from deployd.errors import DeployError

View = TypeVar("View")
Host = TypeVar("Host")

DoStep = Callable[[Any, Any, Any], Awaitable[Any]]
"""(view, host, tell) -> a small frozen dataclass, kept in the journal."""
UndoStep = Callable[[Any, Any, Any], Awaitable[Any]]
"""(view, host, tell) -> None, or a small frozen dataclass that is kept in the journal for people."""


async def _nothing(view: object, host: object, tell: object) -> None:
    """The undo of a step that leaves nothing behind."""


NOTHING: UndoStep = _nothing


async def _no_way_back(view: object, host: object, tell: object) -> None:
    raise AssertionError("a step without a way back was to be undone")


NO_WAY_BACK: UndoStep = _no_way_back
"""From this step's start on nothing is undone: failures are told, and doubts are cleared by doing it again."""


class Visitors(Enum):
    """What visitors of the environment meet while the step runs."""

    AS_BEFORE = "see the version before"
    HELD = "are held, then see the maintenance page"
    RELEASED = "are released to the new version"
    ON_NEW = "see the new version"


class Restart(Enum):
    """What a daemon does with a step that it finds started."""

    AGAIN = "done again: it leaves what one run leaves"
    ATTACH = "re-attached: what it started goes on in its container, and is never started twice"


AS_BEFORE, HELD, RELEASED, ON_NEW = Visitors
AGAIN, ATTACH = Restart


class TableUnknown(DeployError):
    """A row was written by a newer deployd; it is left alone until that one is back."""

    code: ClassVar[str] = "table-unknown"


@dataclass(frozen=True, slots=True)
class Parallel:
    """What does not depend on a step and is done while it runs, so that nobody waits for it later.

    The journal knows it by that step alone: it begins, ends and fails with it, has its limit, and is undone after it.
    It is an `ensure` and gives no result, so that what comes later finds what it made as if it had made it itself.
    """

    do: DoStep
    undone_by: UndoStep


@dataclass(frozen=True, slots=True)
class Step:
    phase: str
    do: DoStep
    undone_by: UndoStep
    limit_seconds: float
    visitors: Visitors
    after_restart: Restart
    admission: Admission | None = None
    """None: it begins at once."""
    parallel: Parallel | None = None
    undo_limit_seconds: float = 300
    gives_slot_back: bool = False
    """It waits rather than works: what is held from the steps before goes to others."""

    @property
    def name(self) -> str:
        return self.do.__name__

    @property
    def pool(self) -> Pool | None:
        return self.admission.pool if self.admission else None


@dataclass(frozen=True)
class Table(Generic[View, Host]):
    """The steps of one kind of activity, in order."""

    name: str
    version: int
    steps: tuple[Step, ...] = field(default=())
    quiet_phases: frozenset[str] = frozenset()
    """Those that change nothing that is live."""
    late_phases: frozenset[str] = frozenset()
    """Those that are told when something is said in them: mostly there is nothing to do."""

    def without(self, *phases: str) -> Table[View, Host]:
        """The same table without some phases."""
        return replace(self, steps=tuple(step for step in self.steps if step.phase not in phases))

    def step(self, name: str) -> Step:
        return next(step for step in self.steps if step.name == name)

    @property
    def switch(self) -> str | None:
        """Name of the step that closes the way back."""
        return next((step.name for step in self.steps if step.undone_by is NO_WAY_BACK), None)
