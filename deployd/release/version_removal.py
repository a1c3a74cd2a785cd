"""How versions of an environment end: workers first, then containers, volumes and files. Gone already is fine."""

from __future__ import annotations

import asyncio
from collections.abc import Collection, Iterable, Mapping
from pathlib import Path

from deployd.activity.log import Tell
from deployd.confined.stages import ensure_unstaged
from deployd.confined.trash import move_to_trash
from deployd.engine.names import ACTIVITY, PART, ROLE
from deployd.engine.observed import ContainerSeen
from deployd.ids import ActivityId, SlugKey
from deployd.release.container_removal import ensure_gone
from deployd.release.parallel import in_parallel
from deployd.release.ports import Host
from deployd.release.release import Release
from deployd.release.version import AppVersion

STOP_SECONDS = 15


async def remove_version(
    release: Release, host: Host, activity: str, *, but_for: frozenset[str] = frozenset(),
) -> None:
    """Remove everything that carries the label of an activity.

    The web server goes first: it ends when its last request is answered, and needs the application for that. Downloads
    and WebSockets count as requests; what is open when `drain_seconds` are over is closed. Applications that ask others
    go before these.

    Args:
        but_for: Applications and workers that go on.
    """
    labels = release.names.labels(activity=activity)
    found = [item for item in await host.engine.containers(labels) if item.labels.get(PART) not in but_for]
    await _remove_web_servers(host, [item for item in found if item.labels[ROLE] == "web"])
    await _remove(host, [item for item in found if item.labels[ROLE] != "web"], STOP_SECONDS)
    for volume in await host.engine.volumes(labels):
        await host.engine.ensure_volume_gone(volume.name)
    folder = _versions(release, host) / activity
    stages = host.places.stages(release.environment, activity)
    if not but_for:
        await ensure_unstaged(stages)
        await move_to_trash(folder, host.places.going)
        return
    for stage in await _below(stages):
        if stage.name not in but_for:
            await ensure_unstaged(stage)
    for path in await _below(folder):
        if path.name not in _folders_of(but_for):
            await move_to_trash(path, host.places.going)


async def end_new_apps(release: Release, host: Host) -> None:
    """End the applications that a deployment started, at once; their containers stay. None is fine."""
    for container in await host.engine.containers(release.names.labels("app", activity=release.id)):
        await host.engine.stop(container.name, 0)


async def versions_there(
    release: Release, host: Host, kept: Mapping[str, frozenset[str]],
) -> set[str]:
    """Activities of which something is there: of an interrupted removal the containers may be gone already.

    Args:
        kept: {activity: applications and workers of it that go on}; they do not count.
    """
    labels = release.names.labels()
    found = [item.labels for item in await host.engine.containers(labels)]
    found += [item.labels for item in await host.engine.volumes(labels)]
    there = {item[ACTIVITY] for item in found
             if ACTIVITY in item and item.get(PART) not in kept.get(item[ACTIVITY], frozenset())}
    for folder in await _below(_versions(release, host)):
        parts = kept.get(folder.name)
        if parts is None or any(path.name not in _folders_of(parts) for path in await _below(folder)):
            there.add(folder.name)
    return there


def _versions(release: Release, host: Host) -> Path:
    return host.places.environment(release.environment) / "versions"


def _folders_of(parts: frozenset[str]) -> frozenset[str]:
    """Below the folder of a version."""
    return parts | {f"{part}-web" for part in parts}


async def _below(folder: Path) -> list[Path]:
    return await asyncio.to_thread(lambda: sorted(folder.glob("*")))


async def unmount_unused(host: Host, apps: Iterable[AppVersion], *but_for: ActivityId) -> None:
    """Unmount the slugs of applications that went, unless something else runs on them or is about to.

    Args:
        but_for: Activities whose versions do not count: they go.
    """
    for slug in {app.slug for app in apps}:
        async def is_used(slug: SlugKey = slug) -> bool:
            return slug in await host.facts.slugs_in_use(*but_for)
        await host.slugs.ensure_unmounted(slug, unless=is_used)


async def _remove_web_servers(host: Host, found: list[ContainerSeen]) -> None:
    """The other way round than they were started, which was those first that others need."""
    ends = asyncio.get_running_loop().time() + host.settings.drain_seconds
    seen = [await host.engine.container(item.name) or item for item in found]
    for group in in_order_of_removal(seen):
        left = ends - asyncio.get_running_loop().time()
        await _remove(host, group, max(1, round(left)) if host.settings.drain_seconds else 0)


def in_order_of_removal(webs: Iterable[ContainerSeen]) -> list[list[ContainerSeen]]:
    """Web servers in groups, one for each application; one that was started later asks those before it. Pure."""
    groups: dict[str, list[ContainerSeen]] = {}
    for item in webs:
        groups.setdefault(item.labels.get(PART, "").partition(".")[0], []).append(item)

    def started(group: list[ContainerSeen]) -> float:
        return min(item.started_at.timestamp() if item.started_at else 0.0 for item in group)

    return sorted(groups.values(), key=started, reverse=True)


async def _remove(host: Host, found: list[ContainerSeen], stop_seconds: int) -> None:
    await in_parallel(ensure_gone(host, container, stop_seconds=stop_seconds) for container in found)


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
