"""A deleted branch takes its environment along: routes first, then containers, network, files and rows.

Its data (volumes of services, files of mounts, passwords) is kept for a time of grace, under the names that it has: a
branch that comes back finds it. `purge_data` is what takes it away, in the same lane, so that it meets no deployment.
"""

from __future__ import annotations

import asyncio
from typing import ClassVar

from deployd.activity.log import Tell
from deployd.confined.stages import ensure_unstaged
from deployd.confined.trash import move_all_to_trash, move_to_trash
from deployd.deployment.deployment import Deployment
from deployd.deployment.results import Deleted
from deployd.engine.names import ACTIVITY
from deployd.errors import DeployError
from deployd.forges.known import FORGES
from deployd.release.parallel import in_parallel
from deployd.release.ports import Host
from deployd.release.services.secrets import forget_secret_files
from deployd.release.version_removal import unmount_unused

UNDER_WAY_SECONDS = 0.5
"""Requests that the router had sent on before its routes went reach their containers within this time."""


class ProtectedStays(DeployError):
    """The environment was protected after somebody wanted its end."""

    code: ClassVar[str] = "protected-stays"
    certainly_not_done: ClassVar[bool] = True


async def remove_environment(deployment: Deployment, host: Host, tell: Tell) -> Deleted:
    """Remove the environment, and its data too when there is no time of grace. May be repeated.

    Raises:
        ProtectedStays: It is protected by now, and nothing of it was removed.
    """
    if deployment.journal.last("remove_environment") is None:   # what was begun is ended
        refuse_protected(deployment)
    if deployment.activity.trigger.how in FORGES:
        # A delivery may come late: the branch was deleted and made again, and its data must not go.
        await host.code.fetch(deployment.project)
        if await host.code.tip(deployment.project.id, deployment.branch) is not None:
            tell.done(f"{deployment.branch} is there again in the remote: its environment stays")
            return Deleted(0, 0)
    environment = deployment.environment
    await host.router.remove(deployment.key)
    version = await host.facts.live(environment)
    if version is not None:
        await asyncio.sleep(UNDER_WAY_SECONDS)
    containers = await host.engine.containers(deployment.names.labels())
    await in_parallel(host.engine.ensure_container_gone(container.name, stop_seconds=10) for container in containers)
    for volume in await host.engine.volumes(deployment.names.labels()):
        if ACTIVITY in volume.labels:   # of a version, and no data
            await host.engine.ensure_volume_gone(volume.name)
    await host.engine.ensure_network_gone(deployment.names.network)
    if version is not None:
        await unmount_unused(host, version.apps, version.activity)
    data = host.places.data(environment)
    await ensure_unstaged(host.places.all_stages(environment))
    await move_to_trash(host.places.output(environment), host.places.going)
    await move_all_to_trash(host.places.environment(environment), host.places.going, but_for=data)
    days = host.settings.collect.deleted_days
    volumes = 0 if days else await _remove_data(deployment, host)
    await host.facts.forget(environment)
    kept = f"; its data is kept for {days:g} days, for the branch to come back" if days else f", {volumes} volumes"
    tell.done(f"environment {environment.name} removed: {len(containers)} containers{kept}")
    return Deleted(len(containers), volumes)


def refuse_protected(deployment: Deployment) -> None:
    """What waited, behind a lock or for the daemon, ends nothing that was protected meanwhile.

    Raises:
        ProtectedStays: It was.
    """
    if deployment.is_protected:
        raise ProtectedStays(
            f"{deployment.branch} of {deployment.project.id} is protected by now, and stays as it is",
            hint="have the operator take the protection away first (`protected` in the project's settings)",
        )


async def purge_data(deployment: Deployment, host: Host, tell: Tell) -> Deleted:
    """Remove what was kept of a deleted environment, unless its branch came back. May be repeated."""
    if await host.facts.exists(deployment.environment):
        tell.done(f"{deployment.branch} is there again: its data stays")
        return Deleted(0, 0)
    volumes = await _remove_data(deployment, host)
    tell.done(f"data of the deleted environment {deployment.environment.name} removed: {volumes} volumes")
    return Deleted(0, volumes)


async def _remove_data(deployment: Deployment, host: Host) -> int:
    environment = deployment.environment
    volumes = await host.engine.volumes(deployment.names.labels())
    for volume in volumes:
        await host.engine.ensure_volume_gone(volume.name)
    await move_to_trash(host.places.environment(environment), host.places.going)
    await host.facts.forget_secrets(environment)
    await forget_secret_files(host.places.run, environment)
    return len(volumes)
