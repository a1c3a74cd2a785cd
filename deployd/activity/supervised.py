"""Tasks that live as long as the daemon."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from functools import partial

import structlog

from deployd.activity.error_boundary import ErrorBoundary, until

log = structlog.get_logger()


async def supervised(
    name: str, once: Callable[[], Awaitable[None]], *, first_seconds: float = 1.0, longest_seconds: float = 60.0,
    boundary: ErrorBoundary | None = None,
) -> None:
    """Run something for ever: when it ends or fails it is logged and started again, after a growing pause.

    Args:
        boundary: Is told failures; the task counts as well again when it has run for `longest_seconds`.
    """
    boundary = boundary or ErrorBoundary("tasks")
    pause = first_seconds
    while True:
        began = asyncio.get_running_loop().time()
        try:
            with until(partial(boundary.succeeded, name), longest_seconds):
                await once()
            log.warning("task_ended", task=name)   # eternal tasks do not end
        except Exception as error:   # noqa: BLE001  the boundary of tasks: it is told, and the task begins anew
            boundary.failed(name, error)
            log.warning("task_failed", task=name, again_in=pause)
        if asyncio.get_running_loop().time() - began > longest_seconds:
            pause = first_seconds
        await asyncio.sleep(pause)
        pause = min(pause * 2, longest_seconds)
