"""A deleted branch takes its environment along: routes first, then containers, network, volumes, files and rows."""

from __future__ import annotations

import asyncio
import shutil
from dataclasses import dataclass

from deployd.activity.log import Tell
from deployd.deployment.host import Host
from deployd.deployment.removal import unmount_unused
from deployd.deployment.together import together
from deployd.deployment.view import Deployment
from deployd.engine.names import ENVIRONMENT, INSTANCE, PROJECT


@dataclass(frozen=True, slots=True)
class Deleted:
    containers: int
    volumes: int


async def remove_environment(deployment: Deployment, host: Host, tell: Tell) -> Deleted:
    """Remove everything that carries the environment's labels. May be repeated."""
    if deployment.activity.trigger.how in ("github", "gitlab"):
        # A delivery may come late: the branch was deleted and made again, and its data must not go.
        await host.code.fetch(deployment.project)
        if await host.code.tip(deployment.project.id, deployment.branch) is not None:
            tell.done(f"{deployment.branch} is there again in the remote: its environment stays")
            return Deleted(0, 0)
    project, environment = deployment.project.id, deployment.environment
    labels = {INSTANCE: deployment.instance, PROJECT: project, ENVIRONMENT: environment}
    await host.router.remove(deployment.key)
    version = await host.facts.live(project, environment)
    containers = await host.engine.containers(labels)
    await together(host.engine.ensure_container_gone(container.name, stop_seconds=10) for container in containers)
    volumes = await host.engine.volumes(labels)
    for volume in volumes:
        await host.engine.ensure_volume_gone(volume.name)
    await host.engine.ensure_network_gone(deployment.names.network)
    if version is not None:
        await unmount_unused(host, version.apps, but_for=version.activity)
    await asyncio.to_thread(shutil.rmtree, host.places.environment(project, environment), True)
    await host.facts.forget(project, environment)
    tell.done(f"environment {environment} removed: {len(containers)} containers, {len(volumes)} volumes")
    return Deleted(len(containers), len(volumes))
