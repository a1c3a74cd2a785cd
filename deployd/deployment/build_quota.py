"""How much a build may write: it is looked at while it runs, and ended when it has written more than its share.

No file system that we may count on has quotas, so what a build writes is counted from outside, more seldom the longer
the counting takes. A build that writes for ever is ended before the disk is full for everybody; its temporary files do
not count, they lie in the memory that it has. What a look misses between two looks is what the disk must have free.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import ClassVar

from deployd.activity.incidents import unwrap
from deployd.activity.log import Tell
from deployd.confined.trash import move_to_trash
from deployd.confined.trees import Use, read_use
from deployd.deployment.deployment import Deployment
from deployd.engine.names import instance_labels
from deployd.errors import DeployError
from deployd.process import ProgramOverran
from deployd.release.ports import Host
from deployd.units import MEGABYTE

LOOK_SECONDS = 2.0
PART_OF_THE_TIME = 20
"""Counting may take a twentieth of the time, so that builds do not get slower by it."""


class BuildTooLarge(DeployError):
    """A build wrote more than it may, and was ended."""

    code: ClassVar[str] = "build-too-large"


@asynccontextmanager
async def room_watched(
    deployment: Deployment, host: Host, app: str, container: str, *, look_seconds: float = LOOK_SECONDS,
    beside: str = "",
) -> AsyncIterator[None]:
    """Look after what a build writes, as long as the block lasts.

    Args:
        beside: Another folder of the activity's that a source operation writes into, for it is no build.

    Raises:
        BuildTooLarge: It was more than the project's share; the container is gone, and the block was ended.
    """
    try:
        async with asyncio.TaskGroup() as group:
            watching = group.create_task(
                _watch(deployment, host, app, look_seconds, beside), name=f"room of the build of {app}",
            )
            yield
            watching.cancel()
    except ExceptionGroup as failed:
        error = unwrap(failed)
        if isinstance(error, BuildTooLarge):   # only now: whoever follows the build would say that it was lost
            await host.engine.ensure_container_gone(container, stop_seconds=0)
        raise error from None


async def ensure_cache_in_bounds(deployment: Deployment, host: Host, tell: Tell) -> None:
    """Empty the cache of a project that has grown over its budget, unless another build of the project uses it.

    It counts with what a build writes: with more than half of that share no further build would find room.
    """
    cache, settings = host.places.cache(deployment.project.id, deployment.zone), host.settings
    shares = settings.shares_of(deployment.project.id)
    most = Use(min(settings.collect.cache_mb, shares.build_mb // 2) * MEGABYTE, shares.build_files // 2)
    use = await _use(most, cache)
    labels = instance_labels(deployment.instance, project=deployment.project.id, role="build")
    if not (too_much := _too_much(use, most)) or await host.engine.containers(labels):
        return
    await move_to_trash(cache, host.places.going)   # who comes meanwhile gets a new one, and no half of this
    tell.warn(f"the cache of builds was emptied: it had {too_much}")


async def empty_cache(deployment: Deployment, host: Host, tell: Tell) -> None:
    """Empty the cache of a project, as was asked for; not under a build that uses it."""
    labels = instance_labels(deployment.instance, project=deployment.project.id, role="build")
    own = deployment.names.labels("build", activity=deployment.id)
    others = {item.name for item in await host.engine.containers(labels)}
    if others - {item.name for item in await host.engine.containers(own)}:
        tell.warn("the cache of builds was not emptied: another build of the project uses it; push once more after it")
    elif not others:   # else it is this very build, which goes on after a restart
        await move_to_trash(host.places.cache(deployment.project.id, deployment.zone), host.places.going)
        await move_to_trash(host.kept.folder(deployment.project.id, deployment.zone), host.places.going)
        tell.line("the cache of builds was emptied, as asked")


async def _watch(deployment: Deployment, host: Host, app: str, look_seconds: float, beside: str) -> None:
    what = "source operation" if beside else "build"
    shares = host.settings.shares_of(deployment.project.id)
    most = Use(shares.build_mb * MEGABYTE, shares.build_files)
    # All that its containers can write into on a disk; what its scripts say has no bound of its own there.
    own = [host.places.build_of(deployment.id, folder) for folder in (app, beside) if folder]
    folders = (*own, host.places.cache(deployment.project.id, deployment.zone))
    loop = asyncio.get_running_loop()
    pause = look_seconds
    while True:
        await asyncio.sleep(pause)   # first: most builds are over before it
        began = loop.time()
        use = await _use(most, *folders)
        if too_much := _too_much(use, most):
            raise BuildTooLarge(
                f"the {what} of {app} was ended: with the project's cache it has written {too_much}",
                where=f"shares.{'build_mb' if use.size_bytes > most.size_bytes else 'build_files'}",
                hint="write less, or have the operator raise the share; nothing was changed",
            )
        pause = max(look_seconds, PART_OF_THE_TIME * (loop.time() - began))


async def _use(most: Use, *folders: Path) -> Use:
    """More files than may be, when there are more than can be counted in a minute."""
    try:
        return await read_use(*folders)
    except ProgramOverran:
        return Use(most.size_bytes, most.files + 1)


def _too_much(use: Use, most: Use) -> str:
    """In words; empty when it is within bounds. Pure."""
    if use.size_bytes > most.size_bytes:
        return f"{use.size_bytes // MEGABYTE} MB, and {most.size_bytes // MEGABYTE} MB may be"
    if use.files > most.files:
        return f"more than {most.files} files"
    return ""
