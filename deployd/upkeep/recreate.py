"""Making again what somebody removed: a container of a version that is live, from what is known of that version.

    the network ─► services, each on the volume that it had ─► applications ─► workers

Nothing is built, no hook runs, and what is there stays as it is. An application whose web container is gone is removed
first: it sits in a network that went with it.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Collection

import structlog

from deployd.release.applications.start import in_order_of_need, start_app, start_worker, web_servers
from deployd.release.configuration import read_config
from deployd.release.container_removal import ensure_gone
from deployd.release.network import ensure_network
from deployd.release.ports import Host
from deployd.release.release import Release
from deployd.release.services.service import make_service_again
from deployd.release.version import worker_part
from deployd.upkeep.survey import Part

log = structlog.get_logger()

Recreate = Callable[[Release, Host, Collection[Part], Callable[[], Awaitable[bool]]], Awaitable[bool]]


async def recreate(
    release: Release, host: Host, missing: Collection[Part], is_ours: Callable[[], Awaitable[bool]],
) -> bool:
    """Make what is missing.

    Args:
        is_ours: Asked before each; a deployment may have begun to change the environment.

    Returns:
        False: it is not ours any more, and not all was made.

    Raises:
        DeployError: It cannot be made; a service does not come up, or its image is gone.
    """
    config = await read_config(release, host)
    await ensure_network(release, host)
    for role, name in sorted(missing):
        if role == "service":
            if not await is_ours():
                return False
            await make_service_again(release, host, name)
            _log(release, role, name)
    instances = [(app, part) for app in in_order_of_need(config) for part in release.webs(app.name)]
    for app, part in instances:
        gone = [role for role in ("web", "app") if (role, part) in missing]
        if not gone:
            continue
        if not await is_ours():
            return False
        if "web" in gone:
            await ensure_gone(host, release.container("app", part), stop_seconds=None)
        image = await host.images.ensure(host.catalogue.web, lambda line: log.info("web_image", line=line))
        servers = await web_servers(release, host, image, [app])
        await start_app(release, host, config, app, servers[part], part=part)
        _log(release, " and ".join(gone), part)
    for app in config.applications:
        for worker in app.workers:
            if ("worker", worker_part(app.name, worker.name)) in missing:
                if not await is_ours():
                    return False
                await start_worker(release, host, config, app, worker)
                _log(release, "worker", worker.name)
    return True


def _log(release: Release, role: str, name: str) -> None:
    log.warning(
        "container_made_again", project=release.project.id, environment=release.environment.name, role=role, part=name,
    )
