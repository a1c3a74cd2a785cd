"""Taking a version of an environment away: its containers, volumes and files. Gone already is fine."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable

from deployd.confined.going import put_aside
from deployd.confined.stages import ensure_unstaged
from deployd.deployment.gone import ensure_gone
from deployd.deployment.host import Host
from deployd.deployment.together import together
from deployd.deployment.version import AppVersion
from deployd.deployment.view import Deployment
from deployd.engine.names import ACTIVITY, ENVIRONMENT, INSTANCE, PROJECT, ROLE
from deployd.engine.seen import ContainerSeen
from deployd.ids import ActivityId, SlugKey

STOP_SECONDS = 15


async def remove_version(deployment: Deployment, host: Host, activity: str) -> None:
    """Remove everything that carries the label of an activity.

    The web server goes first: it ends when its last request is answered, and needs the application for that. Downloads
    and WebSockets count as requests; what is open when `drain_seconds` are over is closed.
    """
    labels = {
        INSTANCE: deployment.instance, PROJECT: deployment.project.id, ENVIRONMENT: deployment.environment,
        ACTIVITY: activity,
    }
    found = await host.engine.containers(labels)
    await _remove(host, [item for item in found if item.labels[ROLE] == "web"], host.settings.drain_seconds)
    await _remove(host, [item for item in found if item.labels[ROLE] != "web"], STOP_SECONDS)
    for volume in await host.engine.volumes(labels):
        await host.engine.ensure_volume_gone(volume.name)
    folder = host.places.environment(deployment.project.id, deployment.environment) / "versions" / activity
    await ensure_unstaged(host.places.stages(deployment.project.id, deployment.environment, activity))
    await put_aside(folder, host.places.going)


async def versions_there(deployment: Deployment, host: Host) -> set[str]:
    """Activities of which something is there: of an interrupted removal the containers may be gone already."""
    labels = {INSTANCE: deployment.instance, PROJECT: deployment.project.id, ENVIRONMENT: deployment.environment}
    folder = host.places.environment(deployment.project.id, deployment.environment) / "versions"
    found = [item.labels for item in await host.engine.containers(labels)]
    found += [item.labels for item in await host.engine.volumes(labels)]
    folders = await asyncio.to_thread(lambda: [path.name for path in folder.glob("*")])
    return {*folders, *(item[ACTIVITY] for item in found if ACTIVITY in item)}


async def unmount_unused(host: Host, apps: Iterable[AppVersion], *, but_for: ActivityId | None = None) -> None:
    """Unmount the slugs of applications that went, unless something else runs on them or is about to.

    Args:
        but_for: An activity whose version does not count: it goes.
    """
    for slug in {app.slug for app in apps}:
        async def is_used(slug: SlugKey = slug) -> bool:
            return slug in await host.facts.slugs_in_use(but_for)
        await host.slugs.ensure_unmounted(slug, unless=is_used)


async def _remove(host: Host, found: list[ContainerSeen], stop_seconds: int) -> None:
    await together(ensure_gone(host, container, stop_seconds=stop_seconds) for container in found)
