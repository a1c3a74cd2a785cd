"""Containers that the engine started before their slug was mounted: they see an empty folder at /app, and always will.

After a power cut the engine starts containers by itself, in any order and before the daemon is there. What a container
sees was decided when it was started; the kernel is asked, because a mount that is there now proves nothing.
"""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

import structlog

from deployd.engine.names import ROLE
from deployd.engine.observed import ContainerSeen
from deployd.environment.platform import APP_FOLDER
from deployd.release.ports import Host
from deployd.slugs.mount import FILE_SYSTEM

log = structlog.get_logger()

WITH_SLUG = frozenset({"web", "app", "worker"})
STOP_SECONDS = 2
"""It has no code: there is nothing that it could bring to an end."""


async def end_without_slug(host: Host, containers: Iterable[ContainerSeen]) -> bool:
    """Stop those that run without their slug; starting them again is up to the caller. Gives whether there were any.

    Args:
        containers: In the order in which they are started; they are ended in the opposite one.
    """
    found = [item.name for item in containers
             if item.running and item.labels[ROLE] in WITH_SLUG and not await _sees_slug(host, item.name)]
    for name in reversed(found):
        await host.engine.stop(name, STOP_SECONDS)
        log.warning("container_stopped", container=name, why="it was started before its slug was mounted")
    return bool(found)


async def _sees_slug(host: Host, name: str) -> bool:
    seen = await host.engine.container(name)
    if seen is None or not seen.has_process or await host.engine.has_mounted(seen, Path(APP_FOLDER), FILE_SYSTEM):
        return True
    return not await host.engine.is_alive(seen)   # then it needs none
