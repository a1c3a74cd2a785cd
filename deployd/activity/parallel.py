"""A step with what goes parallel to it: both are done at once, and both are undone.

The first that fails ends the other; of their errors one counts (`incidents.unwrap`). A step that is done again after a
restart takes along what goes parallel to it: both find what they made.
"""

from __future__ import annotations

import asyncio
from typing import Any

from deployd.activity.table import Parallel, Step


async def do(step: Step, view: Any, host: Any, tell: Any) -> Any:
    """Do a step. The result is its own: nothing that goes parallel to it gives one."""
    if step.parallel is None:
        return await step.do(view, host, tell)
    async with asyncio.TaskGroup() as group:
        group.create_task(_begin(step.parallel, view, host, tell), name=step.parallel.do.__name__)
        return await step.do(view, host, tell)


async def undo(step: Step, view: Any, host: Any, tell: Any) -> Any:
    """Undo a step that was started, and what was begun parallel to it. The result is that of the step's own undo."""
    result = await step.undone_by(view, host, tell)
    if step.parallel is not None:
        await step.parallel.undone_by(view, host, tell)
    return result


async def _begin(parallel: Parallel, view: Any, host: Any, tell: Any) -> None:
    await parallel.do(view, host, tell)
