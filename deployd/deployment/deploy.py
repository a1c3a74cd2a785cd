"""The second half of phase 4: new app and web containers are started beside the old ones. Visitors notice nothing.

Everything made here carries the activity in its name and labels; the undo finds it by these and by nothing else.
"""

from __future__ import annotations

import asyncio
import json
import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import aiofiles
import aiofiles.os

from deployd.activity.log import Tell
from deployd.deployment.containers import (
    APP_UID,
    InstanceParts,
    app_container,
    mount_folders,
    run_volume,
    web_container,
    worker_container,
)
from deployd.deployment.host import Host
from deployd.deployment.probe import wait_until_answering
from deployd.deployment.services import credentials_of
from deployd.deployment.start_script import start_script
from deployd.deployment.validate import read_config
from deployd.deployment.view import Deployment
from deployd.deployment.wanted import routes_of
from deployd.engine.names import ACTIVITY, ENVIRONMENT, INSTANCE, PROJECT
from deployd.environment.platform import About, run_config_json, runtime_environment
from deployd.environment.variables import Variables, variables_of
from deployd.project.model import Application, Commands, Instance, ProjectConfig, Relationship
from deployd.recipes.paths import runtime_paths
from deployd.recipes.php_fpm import fpm_start, render_fpm, render_php_ini
from deployd.recipes.web_server import WEB_PORT, render_web_server
from deployd.services.families import family_of

SOFT_START_SECONDS = 15
"""How long an application may take to answer before the freeze begins; one that needs its deploy hook first never does."""


@dataclass(frozen=True, slots=True)
class AppsUp:
    containers: tuple[str, ...]


async def start_apps(deployment: Deployment, host: Host, tell: Tell) -> AppsUp:
    """Mount the slugs and start the app and web containers of every application."""
    config = await read_config(deployment, host)
    containers: list[str] = []
    for app in in_order_of_need(config):
        parts = await instance_parts(deployment, host, config, app, app.web.instance, app.name)
        await _write_configuration(deployment, host, parts, app.web.instance.commands)
        names = deployment.names
        await host.engine.ensure_volume(run_volume(names, deployment.id, app.name))
        await host.engine.ensure_container(app_container(parts))
        web_folder = host.places.instance(deployment.project.id, deployment.environment, deployment.id, f"{app.name}-web")
        await asyncio.to_thread(_write_files, web_folder, {"nginx.conf": render_web_server(
            app, alias=names.alias(deployment.id, app.name), trusted=host.settings.network_pool,
        )})
        web_image = await host.images.ensure(host.catalogue.web, tell.line)
        web = web_container(parts, web_image, web_folder)
        await host.engine.ensure_container(web)
        containers += [parts.names.container(deployment.id, "app", app.name), web.name]
        await _run_post_start(host, parts, app)
        if await wait_until_answering(deployment, host, app, SOFT_START_SECONDS, quietly=True):
            tell.line("answers", app=app.name)
        else:
            tell.line("does not answer yet; it may need its deploy hook", app=app.name)
    return AppsUp(tuple(containers))


async def start_workers(deployment: Deployment, host: Host, tell: Tell) -> AppsUp:
    """Start the workers of the new version, after the switch: old and new code never work side by side."""
    config = await read_config(deployment, host)
    started = []
    for app in config.applications:
        for worker in app.workers:
            name = f"{app.name}--{worker.name}"
            parts = await instance_parts(deployment, host, config, app, worker.instance, name)
            await _write_configuration(deployment, host, parts, worker.instance.commands)
            spec = worker_container(parts)
            await host.engine.ensure_container(spec)
            started.append(spec.name)
            tell.line(f"worker {worker.name} started", app=app.name)
    return AppsUp(tuple(started))


async def remove_new(deployment: Deployment, host: Host, tell: Tell) -> None:
    """Undo of the deploy phase: whatever carries this activity's label goes, the old version stays as it is."""
    await remove_version(deployment, host, str(deployment.id))


async def remove_version(deployment: Deployment, host: Host, activity: str) -> None:
    """Remove every container, volume and file of one version of the environment; gone already is fine."""
    labels = {
        INSTANCE: deployment.instance, PROJECT: deployment.project.id, ENVIRONMENT: deployment.environment,
        ACTIVITY: activity,
    }
    found = await host.engine.containers(labels)
    async with asyncio.TaskGroup() as group:
        for container in found:
            # The web server first: it ends when its last request is answered, and needs the application for that.
            if container.labels["deployd.role"] == "web":
                group.create_task(host.engine.ensure_container_gone(container.name, stop_seconds=30), name=container.name)
    async with asyncio.TaskGroup() as group:
        for container in found:
            if container.labels["deployd.role"] != "web":
                group.create_task(host.engine.ensure_container_gone(container.name, stop_seconds=15), name=container.name)
    for volume in await host.engine.volumes(labels):
        await host.engine.ensure_volume_gone(volume.name)
    folder = host.places.environment(deployment.project.id, deployment.environment) / "versions" / activity
    await asyncio.to_thread(shutil.rmtree, folder, True)


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


async def instance_parts(
    deployment: Deployment, host: Host, config: ProjectConfig, app: Application, instance: Instance, instance_name: str,
) -> InstanceParts:
    """Everything that an instance's container is put together from; mounts the slug and makes the mounts' folders."""
    version = deployment.planned.version.app(app.name)
    assert version is not None, app.name
    project, environment = deployment.project.id, deployment.environment
    relationships = await relationship_values(deployment, host, config, instance.relationships)
    variables = variables_of(instance.variables, deployment.project.variables, branch=deployment.branch, building=False)
    about = About(
        project, await host.facts.entropy(project), environment, deployment.branch, deployment.type, version.tree,
    )
    routes = routes_of(host.settings, deployment.project, environment, deployment.branch, config)
    values = runtime_environment(
        app, about, variables, commands=instance.commands, routes=routes.routes, relationships=relationships,
    )
    folder = host.places.instance(project, environment, deployment.id, instance_name)
    parts = InstanceParts(
        names=deployment.names, activity=deployment.id, app=app, instance=instance, instance_name=instance_name,
        image=version.image_id,
        slug=await host.slugs.ensure_mounted(version.slug),
        volumes=host.places.volume(project, environment, instance_name),
        shared_volumes=host.places.volume(project, environment, "shared"),
        configuration=folder / "config",
        scripts=folder / "scripts",
        environment={**values, **runtime_paths(app), "HOME": "/home/web", "USER": "web"},
        links=links_of(deployment, config, instance.relationships),
        size=host.settings.size(instance.size),
    )
    files = {"run-config.json": json.dumps(run_config_json(
        app, memory_mb=parts.size.memory_mb, cpus=parts.size.cpus, relationships=relationships, routes=routes.routes,
    ))}
    if app.runtime_name == "php":
        files |= _php_files(app, variables, parts.size.memory_mb)
    await asyncio.to_thread(_write_files, parts.configuration, files)
    await asyncio.to_thread(_make_folders, (parts.scripts, *mount_folders(parts)))
    return parts


def links_of(
    deployment: Deployment, config: ProjectConfig, relationships: tuple[Relationship, ...],
) -> dict[str, str]:
    """{`database.internal`: container}: names that only this instance sees, so that two apps may use one name twice."""
    names = deployment.names
    return {
        f"{item.name}.internal": names.container(deployment.id, "web", item.target)
        if config.application(item.target) else names.service(item.target)
        for item in relationships
    }


async def relationship_values(
    deployment: Deployment, host: Host, config: ProjectConfig, relationships: tuple[Relationship, ...],
) -> dict[str, list[dict[str, Any]]]:
    """Content of PLATFORM_RELATIONSHIPS: {relationship: [endpoint object]}."""
    values: dict[str, list[dict[str, Any]]] = {}
    for item in relationships:
        service = config.service(item.target)
        container = links_of(deployment, config, (item,))[f"{item.name}.internal"]
        seen = await host.engine.container(container)
        address = seen.addresses.get(deployment.names.network, "") if seen else ""
        if service is None:
            app = config.application(item.target)
            values[item.name] = [{
                "service": item.target, "host": f"{item.name}.internal", "hostname": container, "ip": address,
                "rel": item.endpoint, "scheme": "http", "port": WEB_PORT, "path": None, "query": {}, "fragment": None,
                "username": None, "password": None, "type": app.type if app else "", "public": False,
                "host_mapped": False, "cluster": f"{deployment.project.id}-{deployment.environment}",
            }]
            continue
        credential = (await credentials_of(deployment, host, service))[item.endpoint]
        value = family_of(service).relationship_value(
            service, item.name, item.endpoint, credential, ip=address, hostname=container,
        )
        values[item.name] = [{**value, "cluster": f"{deployment.project.id}-{deployment.environment}"}]
    return values


def _php_files(app: Application, variables: Variables, memory_mb: int) -> dict[str, str]:
    return {"php-fpm.conf": render_fpm(app, memory_mb), "php.ini": render_php_ini(app, variables.php)}


async def _write_configuration(deployment: Deployment, host: Host, parts: InstanceParts, commands: Commands) -> None:
    default = fpm_start(parts.app) if parts.app.runtime_name == "php" and parts.instance is parts.app.web.instance else None
    await asyncio.to_thread(_write_files, parts.configuration, {"start": start_script(commands, default)})


async def _run_post_start(host: Host, parts: InstanceParts, app: Application) -> None:
    command = app.web.instance.commands.post_start
    if command:
        await host.engine.execute(
            parts.names.container(parts.activity, "app", app.name), ("sh", "-c", command), limit_seconds=300,
        )


def _write_files(folder: Path, files: dict[str, str]) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    for name, text in files.items():
        (folder / name).write_text(text)


def _make_folders(folders: tuple[Path, ...]) -> None:
    """Folders that the application writes in belong to its user."""
    for folder in folders:
        if not folder.is_dir():
            folder.mkdir(parents=True)
            shutil.chown(folder, APP_UID, APP_UID)
