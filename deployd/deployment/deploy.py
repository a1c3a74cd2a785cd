"""The second half of phase 4: new app and web containers are started beside the old ones. Visitors notice nothing.

Everything made here carries the activity in its name and labels; the undo finds it by these and by nothing else.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from deployd.activity.log import Tell
from deployd.deployment.addresses import fixed_addresses
from deployd.deployment.containers import InstanceParts, app_container, run_volume, web_container, worker_container
from deployd.deployment.host import Host
from deployd.deployment.instances import instance_parts, write_files
from deployd.deployment.probe import wait_until_listening
from deployd.deployment.removal import remove_version, unmount_unused
from deployd.deployment.together import together
from deployd.deployment.validate import read_config
from deployd.deployment.view import Deployment
from deployd.deployment.without_slug import end_without_slug
from deployd.engine.names import ACTIVITY, ENVIRONMENT, INSTANCE, PROJECT
from deployd.engine.seen import ContainerSeen
from deployd.engine.specs import ContainerSpec
from deployd.errors import DeployError
from deployd.project.model import Application, ProjectConfig
from deployd.recipes.web_server import web_server_files

SOFT_START_SECONDS = 15
"""How long an application may take to listen before the freeze; one that needs its deploy hook first never does."""


class WebServerEnded(DeployError):
    """nginx in an application's web container ended at once."""

    code: ClassVar[str] = "web-server-ended"


@dataclass(frozen=True, slots=True)
class AppsUp:
    containers: tuple[str, ...]


async def start_apps(deployment: Deployment, host: Host, tell: Tell) -> AppsUp:
    """Mount the slugs and start the app and web containers of every application; what is independent, side by side."""
    config = await read_config(deployment, host)
    containers: list[str] = []
    await end_without_slug(host, await _made_before(deployment, host))
    webs = {app.name: deployment.names.container(deployment.id, "web", app.name) for app in config.applications}
    addresses = await fixed_addresses(deployment, host, list(webs.values()))
    for app in in_order_of_need(config):
        parts = await instance_parts(deployment, host, config, app, app.web.instance, app.name)
        await host.engine.ensure_volume(run_volume(deployment.names, deployment.id, app.name))
        web = await _web_container(deployment, host, tell, parts, addresses[webs[app.name]])
        own = app_container(parts)
        await together(host.engine.create(spec) for spec in (web, own))
        await host.engine.ensure_container(web)
        await _start_beside(host, app, web, own)
        containers += [web.name, own.name]
        await _run_post_start(host, parts, app)
    await together(_greet(deployment, host, tell, app) for app in config.applications)
    return AppsUp(tuple(containers))


async def _made_before(deployment: Deployment, host: Host) -> tuple[ContainerSeen, ...]:
    """Containers of this deployment that a daemon before us made; Docker itself may have started them since then."""
    return await host.engine.containers({
        INSTANCE: deployment.instance, PROJECT: deployment.project.id, ENVIRONMENT: deployment.environment,
        ACTIVITY: str(deployment.id),
    })


async def _start_beside(host: Host, app: Application, web: ContainerSpec, own: ContainerSpec) -> None:
    """Start the application, which joins the network of its web container and cannot do so when that has ended.

    Raises:
        WebServerEnded: It has; its last log lines are the evidence.
    """
    try:
        await host.engine.ensure_container(own)
    except DeployError as error:
        seen = await host.engine.container(web.name)
        if seen is not None and seen.running and not seen.restarts:
            raise
        raise WebServerEnded(
            f"the web server of {app.name} ended as soon as it was started",
            where=str(app.web.place), evidence=tuple(await host.engine.last_lines(web.name, 10)),
            mend="its lines are above: mostly it is a rule in `web.locations` that nginx does not take",
        ) from error


async def _web_container(
    deployment: Deployment, host: Host, tell: Tell, parts: InstanceParts, address: str,
) -> ContainerSpec:
    version_folder = host.places.version(deployment.project.id, deployment.environment, deployment.id)
    folder = version_folder / f"{parts.app.name}-web"
    await write_files(folder, web_server_files(parts.app, trusted=host.settings.network_pool))
    return web_container(parts, await host.images.ensure(host.catalogue.web, tell.line), folder, address)


async def _greet(deployment: Deployment, host: Host, tell: Tell, app: Application) -> None:
    """Wait until the application listens. It is asked nothing: new code must not answer before its deploy hook ran."""
    patience = min(SOFT_START_SECONDS, host.settings.answer_seconds)
    if await wait_until_listening(deployment, host, app, patience):
        tell.line("listens", app=app.name)
    else:
        tell.line("does not listen yet; it may need its deploy hook", app=app.name)


async def start_workers(deployment: Deployment, host: Host, tell: Tell) -> AppsUp:
    """Start the workers of the new version, after the switch: old and new code never work side by side."""
    config = await read_config(deployment, host)
    started = []
    for app in config.applications:
        for worker in app.workers:
            name = f"{app.name}--{worker.name}"
            parts = await instance_parts(deployment, host, config, app, worker.instance, name)
            spec = worker_container(parts)
            await host.engine.ensure_container(spec)
            started.append(spec.name)
            tell.line(f"worker {worker.name} started", app=app.name)
    return AppsUp(tuple(started))


async def remove_new(deployment: Deployment, host: Host, tell: Tell) -> None:
    """Undo of the deploy phase: whatever carries this activity's label goes, the old version stays as it is."""
    await remove_version(deployment, host, str(deployment.id))
    await unmount_unused(host, deployment.planned.version.apps, but_for=deployment.id)


def in_order_of_need(config: ProjectConfig) -> list[Application]:
    """Applications, those that others have relationships to first. There are no circles: the reader refuses them."""
    ordered: list[Application] = []

    def visit(app: Application) -> None:
        if app in ordered:
            return
        for relationship in app.web.instance.relationships:
            target = config.application(relationship.target)
            if target is not None and target is not app:
                visit(target)
        ordered.append(app)

    for app in config.applications:
        visit(app)
    return ordered


async def _run_post_start(host: Host, parts: InstanceParts, app: Application) -> None:
    command = app.web.instance.commands.post_start
    if command:
        await host.engine.execute(
            parts.names.container(parts.activity, "app", app.name), ("sh", "-c", command), limit_seconds=300,
        )
