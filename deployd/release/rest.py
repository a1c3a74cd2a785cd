"""A live version that stops running; its containers and its data stay where they are, or its data alone.

    stop     web servers, when their last requests are answered ─► applications and workers ─► services
    remove   all of its containers, its network, its files; volumes of services and files of mounts stay

How it runs again is in `start_again.py`.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable

from deployd.activity.log import Tell
from deployd.engine.names import ACTIVITY, ROLE
from deployd.engine.observed import ContainerSeen
from deployd.ids import ActivityId
from deployd.release.container_removal import ensure_gone
from deployd.release.fingerprint import live_containers
from deployd.release.parallel import in_parallel
from deployd.release.ports import Host
from deployd.release.release import Environment, Release, live_release
from deployd.release.version_removal import STOP_SECONDS, remove_version, unmount_unused, versions_there
from deployd.state.rests import AWAKE, INACTIVE

APPS, SERVICES = frozenset({"app", "worker"}), frozenset({"service"})


async def find_live(environment: Environment, host: Host) -> Release | None:
    """The version that is live in an environment, or was when it went to rest."""
    version = await host.facts.live(environment.environment)
    if version is None:
        return None
    return live_release(host.settings, environment.project, environment.environment, environment.branch, version)


async def stop_release(release: Release, host: Host) -> int:
    """Let a version end what it has and stop. Gives how many containers ran. May be repeated.

    What does not run is stopped too: a start that was given up half-way goes on in the engine, which waits for it.
    """
    found = live_containers(release.version, await host.engine.containers(release.names.labels()))
    await _stop(host, _of(found, {"web"}), host.settings.drain_seconds)
    await _stop(host, _of(found, APPS), STOP_SECONDS)
    await _stop(host, _of(found, SERVICES), None)
    return sum(item.running for item in found)


async def remove_runs(environment: Environment, host: Host, *but_for: ActivityId) -> int:
    """Remove all that runs or ran of an environment, and its network; its data stays. May be repeated.

    Args:
        but_for: Activities whose versions need their slugs no more.

    Returns:
        How many containers there were.
    """
    release = await find_live(environment, host)
    there = await host.engine.containers(environment.names.labels())
    await in_parallel(ensure_gone(host, item, stop_seconds=STOP_SECONDS) for item in there)
    if release is not None:
        for activity in sorted(await versions_there(release, host, {})):
            await remove_version(release, host, activity)
        await unmount_unused(host, release.version.apps, release.version.activity, *but_for)
    for volume in await host.engine.volumes(environment.names.labels()):
        if ACTIVITY in volume.labels:   # of a version, and no data
            await host.engine.ensure_volume_gone(volume.name)
    await host.engine.ensure_network_gone(environment.names.network)
    return len(there)


async def rest_again(environment: Environment, host: Host, tell: Tell, activity: ActivityId) -> None:
    """The end of a way back: an environment that was at rest before is so again.

    Args:
        activity: Whose way back it is.
    """
    rest = await host.facts.rest(environment.environment)
    if rest in (None, AWAKE):
        return
    if rest == INACTIVE:
        await remove_runs(environment, host, activity)
    elif (release := await find_live(environment, host)) is not None:
        await stop_release(release, host)
        await unmount_unused(host, release.version.apps, release.version.activity, activity)
    tell.line(f"the environment is {rest}, as before")


def _of(containers: Iterable[ContainerSeen], roles: Collection[str]) -> list[ContainerSeen]:
    return [item for item in containers if item.labels[ROLE] in roles]


async def _stop(host: Host, containers: Iterable[ContainerSeen], seconds: int | None) -> None:
    await in_parallel(host.engine.stop(item.name, seconds) for item in containers)
