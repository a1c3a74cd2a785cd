"""The workers of an environment, of whatever version: they end before new ones start."""

from collections.abc import Collection

from deployd.activity.log import Tell
from deployd.engine.names import ACTIVITY, PART
from deployd.release.ports import Host
from deployd.release.release import Release


async def stop_old_workers(
    release: Release, host: Host, tell: Tell, but_for: Collection[str] = (),
) -> None:
    """Let the workers of earlier versions finish and end; none is fine.

    Args:
        but_for: Names of containers that are kept.
    """
    for worker in await host.engine.containers(release.names.labels("worker")):
        if worker.running and worker.labels[ACTIVITY] != str(release.id) and worker.name not in but_for:
            await host.engine.stop(worker.name)
            tell.line(f"worker {worker.labels[PART]} stopped")
