"""A deployd that kills itself with SIGKILL at a point:
`KILL_POINT=switch:done:before python -m tests.support.kill_points serve …`

    <step>:<event>:before    the act is done, the journal does not say so yet
    <step>:<event>:after     the journal says so, durably, and nothing else has been done
    switch:answered:after    the router has switched, and nothing of ours says that the version is live
    switch:answered:lost     not a death: the router has switched, and its first three answers are lost

Every point is a line between two writes or acts of the real daemon; only the killing is added.
"""

from __future__ import annotations

import itertools
import os
import signal
import sys
from collections.abc import Iterator
from typing import Any

from deployd.activity.journal_store import StateJournal
from deployd.activity.table import NO_WAY_BACK, NOTHING, Table
from deployd.cli.main import main
from deployd.deployment.steps import DELETE, PUSH
from deployd.router.control import Router, RouterUnanswered

VARIABLE = "KILL_POINT"
LAST_WORDS = "kill point:"
LOST, LOST_ANSWERS = "switch:answered:lost", 3


def points() -> list[str]:
    """Every point at which a daemon can be told to die, in the order of a deployment."""
    return [*_of(PUSH), "switch:answered:after", *_of(DELETE)]


def _of(table: Table[Any, Any]) -> Iterator[str]:
    for step in table.steps:
        yield from (f"{step.name}:started:after", f"{step.name}:done:before", f"{step.name}:done:after")
        if step.undone_by not in (NOTHING, NO_WAY_BACK):
            yield from (f"{step.name}:undoing:after", f"{step.name}:undone:before", f"{step.name}:undone:after")


def die(point: str) -> None:
    """SIGKILL, when this is the point; the log says where it was."""
    if os.environ.get(VARIABLE) == point:
        os.write(2, f"{LAST_WORDS} {point}\n".encode())
        os.kill(os.getpid(), signal.SIGKILL)


def arm() -> None:
    """Put the points into the daemon that is about to run."""
    write, switch = StateJournal.write, Router.switch

    async def killed_write(self: StateJournal, step: str, event: str, **more: Any) -> None:
        die(f"{step}:{event}:before")
        await write(self, step, event, **more)
        die(f"{step}:{event}:after")

    answers = itertools.count(1)

    async def killed_switch(self: Router, *routes: Any) -> Any:
        answer = await switch(self, *routes)
        die("switch:answered:after")
        if os.environ.get(VARIABLE) == LOST and next(answers) <= LOST_ANSWERS:
            raise RouterUnanswered(f"{LAST_WORDS} {LOST}")
        return answer

    StateJournal.write = killed_write  # type: ignore[method-assign]
    Router.switch = killed_switch  # type: ignore[method-assign]


if __name__ == "__main__":
    arm()
    sys.exit(main())
