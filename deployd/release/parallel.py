"""Several calls at once; the first that fails ends the others, and the error that counts is raised and not a group."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine, Iterable
from typing import Any, TypeVar

from deployd.activity.incidents import unwrap

T = TypeVar("T")


async def in_parallel(calls: Iterable[Coroutine[Any, Any, T]]) -> list[T]:
    """Results of all calls, in their order."""
    try:
        async with asyncio.TaskGroup() as group:
            tasks = [group.create_task(call) for call in calls]
    except ExceptionGroup as failed:
        raise unwrap(failed) from None
    return [task.result() for task in tasks]
