"""Services that were made anew and become what they were, whatever of that had been done.

    set aside, stopped:  the new one ends ─► the earlier one gets its name back ─► it runs
    not there any more:  the new one ends ─► another one is made of what is known of the version before
"""

from __future__ import annotations

from deployd.deployment.deferred import deferred_of
from deployd.deployment.deployment import Deployment
from deployd.engine.names import DIGEST
from deployd.release.container_removal import ensure_gone
from deployd.release.images_missing import NO_CONTAINER
from deployd.release.ports import Host
from deployd.release.services.service import Wanted, ensure_running, with_addresses

STOP_SECONDS = 60


async def services_before(deployment: Deployment, host: Host) -> list[Wanted]:
    """The services that this deployment makes anew, as they were."""
    before = deployment.planned.before
    names = {change.name for change in deployment.planned.plan.services if change.action == "recreate"}
    names |= deferred_of(deployment).services
    if before is None or not names:
        return []
    result = await host.code.read(deployment.project, before.commit)
    found = [
        (service, version) for version in before.services
        if version.name in names and result.config and (service := result.config.service(version.name))
        and service.kind not in NO_CONTAINER
    ]
    return await with_addresses(deployment.release, host, found)


async def is_as_before(deployment: Deployment, host: Host, wanted: Wanted) -> bool:
    """Whether a service has the container that it had, and that runs."""
    there = await host.engine.container(deployment.names.service(wanted.name))
    return there is not None and there.running and there.labels.get(DIGEST) == wanted.version.digest


async def have_service_as_before(deployment: Deployment, host: Host, wanted: Wanted) -> None:
    """Have a service run as it was. Maybe it is not ready yet."""
    own = deployment.names.service(wanted.name)
    there = await host.engine.container(own)
    if there is None or there.labels.get(DIGEST) != wanted.version.digest:
        await ensure_gone(host, own, stop_seconds=STOP_SECONDS)
        earlier = deployment.names.earlier_service(wanted.name, deployment.id)
        if await host.engine.container(earlier) is not None:
            await host.engine.ensure_renamed(earlier, own)
    await ensure_running(deployment.release, host, wanted)
