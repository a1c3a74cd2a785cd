"""A live version that stops running and runs again, in the containers that it has; its data stays where it is.

    stop     web servers, when their last requests are answered ─► applications and workers ─► services
    start    network, mounts, slugs ─► services and web servers ─► applications ─► workers, when visitors are let in

What somebody removed meanwhile is made again, from what is known of the version.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable

from deployd.activity.log import Tell
from deployd.engine.names import ACTIVITY, ROLE
from deployd.engine.observed import ContainerSeen
from deployd.project.model import ProjectConfig
from deployd.release.answers.probe import wait_until_answering
from deployd.release.applications.start import WebServer, in_order_of_need, start_app, start_worker, web_name
from deployd.release.configuration import read_config
from deployd.release.container_removal import ensure_gone
from deployd.release.data.volumes import stage_version
from deployd.release.fingerprint import live_containers
from deployd.release.network import ensure_network, fixed_addresses
from deployd.release.parallel import in_parallel
from deployd.release.ports import Host
from deployd.release.release import Environment, Release, live_release
from deployd.release.services.service import (
    READY_SECONDS,
    Wanted,
    ensure_provisioned,
    ensure_running,
    services_of,
)
from deployd.release.version import FIRST_UID
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
    """Let a version end what it has and stop. Gives how many containers ran. May be repeated."""
    found = live_containers(release.version, await host.engine.containers(release.names.labels()))
    running = [item for item in found if item.running]
    await _stop(host, _of(running, {"web"}), host.settings.drain_seconds)
    await _stop(host, _of(running, APPS), STOP_SECONDS)
    await _stop(host, _of(running, SERVICES), None)
    return len(running)


async def start_release(release: Release, host: Host) -> None:
    """Have services, web servers and applications of a version run; no workers. Maybe they do not answer yet.

    Raises:
        DeployError: One does not come up.
    """
    config = await read_config(release, host)
    await ensure_network(release, host)
    if release.version.uid != FIRST_UID:   # else the engine was told the paths themselves
        await stage_version(release, host, config)
    await in_parallel(host.slugs.ensure_mounted(slug) for slug in {app.slug for app in release.version.apps})
    image = await host.images.ensure(host.catalogue.web, lambda _: None)
    await _remove_without_network(release, host, config)
    pairs = services_of(release, config)
    addresses = await fixed_addresses(release, host, [   # of all at once: they are made side by side
        *(release.names.service(service.name) for service, _ in pairs),
        *(web_name(release, app) for app in config.applications),
    ])
    servers = {app.name: WebServer(image, addresses[web_name(release, app)]) for app in config.applications}
    await in_parallel([
        in_parallel(
            _start_service(release, host, Wanted(*pair, addresses[release.names.service(pair[0].name)]))
            for pair in pairs
        ),
        in_parallel(
            start_app(release, host, config, app, servers[app.name], only_make=True) for app in config.applications
        ),
    ])
    for app in in_order_of_need(config):
        await start_app(release, host, config, app, servers[app.name])


async def wait_until_release_answers(release: Release, host: Host) -> None:
    """
    Raises:
        NotAnswering: An application does not; its last output is the evidence.
    """
    config = await read_config(release, host)
    await in_parallel(
        wait_until_answering(release, host, app, host.settings.answer_seconds) for app in config.applications
    )


async def start_workers_of(release: Release, host: Host) -> tuple[str, ...]:
    """Have the workers of a version run. Gives the names of their containers."""
    config = await read_config(release, host)
    return tuple(await in_parallel(
        start_worker(release, host, config, app, worker) for app in config.applications for worker in app.workers
    ))


async def remove_runs(environment: Environment, host: Host) -> int:
    """Remove all that runs or ran of an environment, and its network; its data stays. May be repeated.

    Returns:
        How many containers there were.
    """
    release = await find_live(environment, host)
    there = await host.engine.containers(environment.names.labels())
    await in_parallel(ensure_gone(host, item, stop_seconds=STOP_SECONDS) for item in there)
    if release is not None:
        for activity in sorted(await versions_there(release, host, {})):
            await remove_version(release, host, activity)
        await unmount_unused(host, release.version.apps, but_for=release.version.activity)
    for volume in await host.engine.volumes(environment.names.labels()):
        if ACTIVITY in volume.labels:   # of a version, and no data
            await host.engine.ensure_volume_gone(volume.name)
    await host.engine.ensure_network_gone(environment.names.network)
    return len(there)


async def rest_again(environment: Environment, host: Host, tell: Tell) -> None:
    """The end of a way back: an environment that was at rest before is so again."""
    rest = await host.facts.rest(environment.environment)
    if rest in (None, AWAKE):
        return
    if rest == INACTIVE:
        await remove_runs(environment, host)
    elif (release := await find_live(environment, host)) is not None:
        await stop_release(release, host)
    tell.line(f"the environment is {rest}, as before")


async def _start_service(release: Release, host: Host, wanted: Wanted) -> None:
    there = await host.engine.container(release.names.service(wanted.name))
    seen = await ensure_running(release, host, wanted)
    if there is None:
        await ensure_provisioned(release, host, wanted, seen.name)
    else:
        await host.engine.wait_until_healthy(seen.name, READY_SECONDS)


async def _remove_without_network(release: Release, host: Host, config: ProjectConfig) -> None:
    """Applications whose web containers somebody removed: they sit in networks that went with these."""
    for app in config.applications:
        if await host.engine.container(web_name(release, app)) is None:
            await ensure_gone(host, release.container("app", app.name), stop_seconds=0)


def _of(containers: Iterable[ContainerSeen], roles: Collection[str]) -> list[ContainerSeen]:
    return [item for item in containers if item.labels[ROLE] in roles]


async def _stop(host: Host, containers: Iterable[ContainerSeen], seconds: int | None) -> None:
    await in_parallel(host.engine.stop(item.name, seconds) for item in containers)
