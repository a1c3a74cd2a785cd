"""Output of containers that went is taken away when it is old, also of environments that nobody deploys any more."""

from __future__ import annotations

import asyncio
import time
from pathlib import Path

from deployd.activity.error_boundary import ErrorBoundary
from deployd.output.retention import Retention, trim

ROUND_SECONDS = 3600.0


async def keep_output_bounded(all_output: Path, bounds: Retention, boundary: ErrorBoundary) -> None:
    """Do so for ever.

    Args:
        all_output: Below it is that of all environments.
    """
    while True:
        for folder in await asyncio.to_thread(lambda: sorted(all_output.glob("*/*"))):
            with boundary.contain(f"the kept output of {folder.parent.name}/{folder.name}"):
                await asyncio.to_thread(trim, folder, bounds, time.time())
        await asyncio.sleep(ROUND_SECONDS)
