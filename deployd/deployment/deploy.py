"""The second half of phase 4: new app and web containers are started beside the old ones. Visitors notice nothing.

Everything made here carries the activity in its name and labels; the undo finds it by these and by nothing else.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import replace

from deployd.activity.log import Tell
from deployd.deployment.addresses import fixed_addresses
from deployd.deployment.greeting import wait_until_listening
from deployd.deployment.hooks import stop_old_workers
from deployd.deployment.host import Host
from deployd.deployment.kept import find_home
from deployd.deployment.one_app import start_app, start_worker, web_name
from deployd.deployment.removal import remove_version, unmount_unused
from deployd.deployment.results import AppsUp
from deployd.deployment.together import together
from deployd.deployment.validate import read_config
from deployd.deployment.version import worker_part
from deployd.deployment.view import Deployment
from deployd.deployment.volumes import ensure_data_owner
from deployd.deployment.waiting import waiting_of
from deployd.deployment.without_slug import end_without_slug
from deployd.engine.names import ACTIVITY, ENVIRONMENT, INSTANCE, PART, PROJECT
from deployd.engine.observed import ContainerSeen
from deployd.ids import ActivityId
from deployd.project.model import Application, ProjectConfig

SOFT_START_SECONDS = 15
"""How long an application may take to listen before the freeze; one that needs its deploy hook first never does."""


async def start_apps(deployment: Deployment, host: Host, tell: Tell) -> AppsUp:
    """Mount the slugs and start the app and web containers of every application; what is independent, side by side.

    One that needs something that is replaced is made, and started after it. One of which nothing has changed goes on in
    the containers that it has.
    """
    config, waiting = await read_config(deployment, host), waiting_of(deployment)
    if not waiting.new_owner:
        await ensure_data_owner(deployment, host, deployment.planned.version.uid)
    made = await _made_before(deployment, host)
    await end_without_slug(host, made)
    image = await host.images.ensure(host.catalogue.web, tell.line)
    begun = {item.labels.get(PART, "") for item in made}
    deployment = replace(deployment, kept=await _find_kept(deployment, host, tell, config, image, begun))
    new = [app for app in in_order_of_need(config) if deployment.home(app.name) == deployment.id]
    addresses = await fixed_addresses(deployment, host, [web_name(deployment, app) for app in new])
    containers: list[str] = []
    for app in new:
        waits = waiting.includes(app, config)
        containers += await start_app(
            deployment, host, config, app, image, addresses[web_name(deployment, app)], only_make=waits,
        )
        if waits:
            tell.line("is started when what it needs is replaced", app=app.name)
    await together(greet(deployment, host, tell, app) for app in new if not waiting.includes(app, config))
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


async def web_image_and_addresses(
    deployment: Deployment, host: Host, tell: Tell, config: ProjectConfig,
) -> tuple[str, dict[str, str]]:
    """The image of web containers, and the address that each keeps, by its name."""
    addresses = await fixed_addresses(deployment, host, [web_name(deployment, app) for app in config.applications])
    return await host.images.ensure(host.catalogue.web, tell.line), addresses


async def _made_before(deployment: Deployment, host: Host) -> tuple[ContainerSeen, ...]:
    """Containers of this deployment that a daemon before us made; Docker itself may have started them since then."""
    return await host.engine.containers({
        INSTANCE: deployment.instance, PROJECT: deployment.project.id, ENVIRONMENT: deployment.environment,
        ACTIVITY: str(deployment.id),
    })


async def greet(deployment: Deployment, host: Host, tell: Tell, app: Application) -> None:
    """Wait until the application listens. It is asked nothing: new code must not answer before its deploy hook ran."""
    patience = min(SOFT_START_SECONDS, host.settings.answer_seconds)
    listens = await wait_until_listening(deployment, host, app, patience)
    if listens is None:
        started = app.web.instance.commands.start is not None
        tell.line("serves files" + ("; no request gets to its start command" if started else ""), app=app.name)
    elif listens:
        tell.line("listens", app=app.name)
    else:
        tell.line("does not listen yet; it may need its deploy hook", app=app.name)


async def start_workers(deployment: Deployment, host: Host, tell: Tell) -> AppsUp:
    """Start the workers of the new version, after the switch: old and new code never work side by side."""
    config = await read_config(deployment, host)
    own = [
        deployment.container("worker", worker_part(app.name, worker.name))
        for app in config.applications for worker in app.workers
    ]
    await stop_old_workers(deployment, host, tell, but_for=own)   # they go on until now when nobody was held
    started = []
    for app in config.applications:
        for worker in app.workers:
            started.append(await start_worker(deployment, host, config, app, worker))
            tell.line(f"worker {worker.name} started", app=app.name)
    return AppsUp(tuple(started))


async def remove_new(deployment: Deployment, host: Host, tell: Tell) -> None:
    """Undo of the deploy phase: whatever carries this activity's label goes, the old version stays as it is."""
    await remove_version(deployment, host, str(deployment.id))
    before = deployment.planned.before
    if before is not None:
        await ensure_data_owner(deployment, host, before.uid)
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
