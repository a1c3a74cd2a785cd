"""The second half of phase 4: new app and web containers are started beside the old ones. Visitors notice nothing.

Everything made here carries the activity in its name and labels; the undo finds it by these and by nothing else.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import replace

from deployd.activity.log import Tell
from deployd.deployment.deferred import deferred_of
from deployd.deployment.deployment import Deployment
from deployd.deployment.kept_containers import find_home
from deployd.deployment.results import AppsUp
from deployd.engine.names import PART
from deployd.engine.observed import ContainerSeen
from deployd.ids import ActivityId
from deployd.project.model import ProjectConfig
from deployd.release.answers.listening import greet
from deployd.release.applications.further_instances import starts_after_hook
from deployd.release.applications.stale_mounts import end_without_slug
from deployd.release.applications.start import in_order_of_need, start_app, start_worker, web_servers
from deployd.release.configuration import read_config
from deployd.release.data.volumes import ensure_data_owner
from deployd.release.parallel import in_parallel
from deployd.release.ports import Host
from deployd.release.version import worker_part
from deployd.release.version_removal import remove_version, stop_old_workers, unmount_unused


async def start_apps(deployment: Deployment, host: Host, tell: Tell) -> AppsUp:
    """Mount the slugs and start the app and web containers of every application; what is independent, side by side.

    One that needs something that is replaced is made, and started after it. One of which nothing has changed goes on in
    the containers that it has.
    """
    config, deferred = await read_config(deployment.release, host), deferred_of(deployment)
    if not deferred.new_owner:
        await ensure_data_owner(deployment.release, host, deployment.planned.version.uid)
    made = await _made_before(deployment, host)
    await end_without_slug(host, made)
    image = await host.images.ensure(host.catalogue.web, tell.line)
    begun = {item.labels.get(PART, "") for item in made}
    deployment = replace(deployment, kept=await _find_kept(deployment, host, tell, config, image, begun))
    new = [app for app in in_order_of_need(config) if deployment.home(app.name) == deployment.id]
    servers = await web_servers(deployment.release, host, image, new)
    containers: list[str] = []
    for app in new:
        waits = deferred.includes(app, config)
        for part in deployment.release.webs(app.name):
            containers += await start_app(
                deployment.release, host, config, app, servers[part], part=part,
                only_make=waits or (part != app.name and starts_after_hook(deployment.release, app)),
            )
        if waits:
            tell.line("is started when what it needs is replaced", app=app.name)
    await in_parallel(greet(deployment.release, host, tell, app) for app in new if not deferred.includes(app, config))
    return AppsUp(tuple(containers), deployment.kept or {})


async def _find_kept(
    deployment: Deployment, host: Host, tell: Tell, config: ProjectConfig, image: str, begun: Collection[str],
) -> dict[str, ActivityId]:
    """Applications that go on in their containers.

    Args:
        begun: Those of which a daemon before us made containers: it found that they have to be new.
    """
    kept: dict[str, ActivityId] = {}
    for app in in_order_of_need(config):   # whether one stays depends on those that it has relationships to
        if app.name in begun:
            continue
        home = await find_home(replace(deployment, kept=kept), host, config, app, image)
        if home is not None:
            kept[app.name] = home
            tell.line("goes on in its containers: nothing that it sees has changed", app=app.name)
    return kept


async def _made_before(deployment: Deployment, host: Host) -> tuple[ContainerSeen, ...]:
    """Containers of this deployment that a daemon before us made; Docker itself may have started them since then."""
    return await host.engine.containers(deployment.names.labels(activity=deployment.id))


async def start_workers(deployment: Deployment, host: Host, tell: Tell) -> AppsUp:
    """Start the workers of the new version, after the switch: old and new code never work side by side."""
    config = await read_config(deployment.release, host)
    own = [
        deployment.container("worker", worker_part(app.name, worker.name))
        for app in config.applications for worker in app.workers
    ]
    await stop_old_workers(deployment.release, host, tell, but_for=own)   # they go on until now when nobody was held
    started = []
    for app in config.applications:
        for worker in app.workers:
            started.append(await start_worker(deployment.release, host, config, app, worker))
            tell.line(f"worker {worker.name} started", app=app.name)
    return AppsUp(tuple(started))


async def remove_new(deployment: Deployment, host: Host, tell: Tell) -> None:
    """Undo of the deploy phase: whatever carries this activity's label goes, the old version stays as it is."""
    await remove_version(deployment.release, host, str(deployment.id))
    before = deployment.planned.before
    if before is not None:
        await ensure_data_owner(deployment.release, host, before.uid)
    await unmount_unused(host, deployment.planned.version.apps, deployment.id)
