"""Making again what somebody removed: a container of a version that is live, from what is known of that version.

    the network ─► services, each on the volume that it had ─► applications ─► workers

Nothing is built, no hook runs, and what is there stays as it is. An application whose web container is gone is removed
first: it sits in a network that went with it.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Collection

import structlog

from deployd.deployment.addresses import fixed_addresses
from deployd.deployment.deploy import in_order_of_need
from deployd.deployment.gone import ensure_gone
from deployd.deployment.host import Host
from deployd.deployment.one_app import start_app, start_worker, web_name
from deployd.deployment.services import ensure_network, make_service_again
from deployd.deployment.validate import read_config
from deployd.deployment.version import worker_part
from deployd.deployment.view import Deployment
from deployd.upkeep.survey import Part

log = structlog.get_logger()

Remake = Callable[[Deployment, Host, Collection[Part], Callable[[], Awaitable[bool]]], Awaitable[bool]]


async def remake(
    deployment: Deployment, host: Host, missing: Collection[Part], is_ours: Callable[[], Awaitable[bool]],
) -> bool:
    """Make what is missing.

    Args:
        is_ours: Asked before each; a deployment may have begun to change the environment.

    Returns:
        False: it is not ours any more, and not all was made.

    Raises:
        DeployError: It cannot be made; a service does not come up, or its image is gone.
    """
    config = await read_config(deployment, host)
    await ensure_network(deployment, host)
    for role, name in sorted(missing):
        if role == "service":
            if not await is_ours():
                return False
            await make_service_again(deployment, host, name)
            _log(deployment, role, name)
    for app in in_order_of_need(config):
        gone = [role for role in ("web", "app") if (role, app.name) in missing]
        if not gone:
            continue
        if not await is_ours():
            return False
        if "web" in gone:
            await ensure_gone(host, deployment.container("app", app.name), stop_seconds=None)
        address = (await fixed_addresses(deployment, host, [web_name(deployment, app)]))[web_name(deployment, app)]
        image = await host.images.ensure(host.catalogue.web, lambda line: log.info("web_image", line=line))
        await start_app(deployment, host, config, app, image, address)
        _log(deployment, " and ".join(gone), app.name)
    for app in config.applications:
        for worker in app.workers:
            if ("worker", worker_part(app.name, worker.name)) in missing:
                if not await is_ours():
                    return False
                await start_worker(deployment, host, config, app, worker)
                _log(deployment, "worker", worker.name)
    return True


def _log(deployment: Deployment, role: str, name: str) -> None:
    log.warning(
        "container_made_again", project=deployment.project.id, environment=deployment.environment, role=role, part=name,
    )
