"""The first half of phase 4: network and services. What is new is made, what stays is kept, and a container is laid
ready for each service that is made anew.

What is new begins with the build, and comes up while that goes on: nobody uses it yet. What visitors use is replaced
when they are held, and not before (`replace.py`).
"""

from __future__ import annotations

from dataclasses import replace

from deployd.activity.log import Tell
from deployd.confined.stages import ensure_unstaged
from deployd.confined.trash import move_all_to_trash, move_to_trash
from deployd.deployment.deployment import Deployment
from deployd.deployment.results import ServicesUp
from deployd.deployment.services_as_before import have_service_as_before, is_as_before, services_before
from deployd.engine.names import DIGEST
from deployd.release.configuration import read_config
from deployd.release.container_removal import ensure_gone
from deployd.release.data.volumes import belongs_to_another
from deployd.release.network import ensure_network
from deployd.release.parallel import in_parallel
from deployd.release.ports import Host
from deployd.release.rest import rest_again
from deployd.release.services.service import (
    Wanted,
    container_spec,
    ensure_provisioned,
    ensure_running,
    new_volume,
    remove_set_aside,
    wanted_services,
)


async def begin_services(deployment: Deployment, host: Host, tell: Tell) -> None:
    """Network of the environment, and its new services started: they come up while the code is built.

    What is live is not touched here: a service that is made anew waits for the freeze. In a protected environment none
    begins before its gate is open: they have its passwords.

    Raises:
        Transient: Somebody else was faster to take the subnet.
    """
    if _waits_for_gate(deployment):
        return
    config = await read_config(deployment.release, host)
    await ensure_network(deployment.release, host)
    new = frozenset(change.name for change in deployment.planned.plan.services if change.action == "create")
    wanted = await wanted_services(deployment.release, host, config, new)
    await in_parallel(ensure_running(deployment.release, host, item) for item in wanted)


async def end_new_services(deployment: Deployment, host: Host, tell: Tell) -> None:
    """Undo: services that are new go with their empty volumes, and the network with them when all of it is new. What
    was at rest is so again."""
    if _waits_for_gate(deployment) and deployment.journal.last("start_services") is None:
        return   # none was begun
    await _end_new(deployment, host)
    await rest_again(deployment.place, host, tell, deployment.id)


async def _end_new(deployment: Deployment, host: Host) -> None:
    names = deployment.names
    for change in deployment.planned.plan.services:
        if change.action == "create":
            await ensure_gone(host, names.service(change.name), stop_seconds=0)
            for volume in await host.engine.volumes(new_volume(deployment.release, change.name)):
                await host.engine.ensure_volume_gone(volume.name)
    if deployment.planned.before is None:
        await host.engine.ensure_network_gone(names.network)
        folder = host.places.environment(deployment.environment)
        await ensure_unstaged(host.places.all_stages(deployment.environment))
        if deployment.planned.had_data:
            data = host.places.data(deployment.environment)
            await move_all_to_trash(folder, host.places.going, but_for=data)
        else:
            await move_to_trash(folder, host.places.going)


async def start_services(deployment: Deployment, host: Host, tell: Tell) -> ServicesUp:
    """Network, volumes and services of the environment, ready and provisioned, independent ones side by side.

    Of a service whose container becomes another one, that is made and not started.

    Raises:
        ServiceNotReady: A service did not come up; its last log lines are the evidence.
        Transient: Somebody else was faster to take the subnet.
    """
    config = await read_config(deployment.release, host)
    await ensure_network(deployment.release, host)
    wanted = await wanted_services(deployment.release, host, config)
    replaced = await in_parallel(_ensure_service(deployment, host, tell, item) for item in wanted)
    return ServicesUp(
        tuple(service.name for service in config.services),
        tuple(item.name for item, anew in zip(wanted, replaced, strict=True) if anew),
        await belongs_to_another(deployment.release, host, deployment.planned.version.uid),
    )


async def put_back_services(deployment: Deployment, host: Host, tell: Tell) -> None:
    """Undo: services that are new go, and what was laid ready. Those that an earlier deployd made anew before the
    freeze become what they were."""
    await _end_new(deployment, host)
    for wanted in await services_before(deployment, host):
        if not await is_as_before(deployment, host, wanted):
            await have_service_as_before(deployment, host, wanted)
            await ensure_provisioned(deployment.release, host, wanted, deployment.names.service(wanted.name))
    await remove_set_aside(deployment.place, host)
    await rest_again(deployment.place, host, tell, deployment.id)


def _waits_for_gate(deployment: Deployment) -> bool:
    return deployment.is_protected and deployment.mode.waits_for_unlock


async def _ensure_service(deployment: Deployment, host: Host, tell: Tell, wanted: Wanted) -> bool:
    """Have a service as its version wants it. True: it waits for the freeze."""
    seen = await host.engine.container(deployment.names.service(wanted.name))
    if seen is not None and seen.labels.get(DIGEST) != wanted.version.digest:
        if not seen.running:   # the environment is paused: what is to be replaced has to be there for its snapshot
            await host.engine.start(seen.name)
        spec = await container_spec(deployment.release, host, wanted)
        await host.engine.create(replace(spec, name=deployment.names.next_service(wanted.name, deployment.id)))
        tell.line("is replaced when visitors are held", app=wanted.name)
        return True
    seen = await ensure_running(deployment.release, host, wanted)
    planned = next((change for change in deployment.planned.plan.services if change.name == wanted.name), None)
    if planned is not None and planned.action == "keep" and seen.health == "healthy":
        tell.line("kept", app=wanted.name)
        return False
    await ensure_provisioned(deployment.release, host, wanted, seen.name)
    tell.line(f"{wanted.version.type} ready", app=wanted.name)
    return False
