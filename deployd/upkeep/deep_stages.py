"""A tenant who moves the folder of a mount deep into another one keeps nobody's containers from being started.

Looked at every second, as the kernel tells nobody of a folder that is moved. In between Docker starts no container on
this host; what deployd starts is tried again (`engine.errors.MountsUnreadable`), and so does Docker with what ended.
"""

from __future__ import annotations

import asyncio
from pathlib import Path

import structlog

from deployd.activity.error_boundary import ErrorBoundary
from deployd.confined.stages import ensure_none_deep

log = structlog.get_logger()

ROUND_SECONDS = 1.0


async def keep_stages_shallow(stages: Path, boundary: ErrorBoundary, *, round_seconds: float = ROUND_SECONDS) -> None:
    """Do so for ever.

    Args:
        stages: Below it are those of all environments.
    """
    while True:
        with boundary.contain("stages of mounts that were moved too deep"):
            for place in await ensure_none_deep(stages):
                log.error("stage_taken_away", place=str(place), why="its folder was moved too deep for Docker")
        await asyncio.sleep(round_seconds)
