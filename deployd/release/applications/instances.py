"""What an app or worker container is put together from: gathered from git, services and settings, written to the disk.

What it is (`describe_instance`) is known before any of it is there, so that it can be compared with a container that
runs. The one place where the slug is mounted, mounts are staged and an instance's configuration files are written.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from deployd.confined.beneath import open_folder
from deployd.engine.observed import ContainerSeen
from deployd.engine.script import SCRIPTS_FOLDER
from deployd.engine.trust import STORE
from deployd.environment.platform import (
    About,
    Surroundings,
    merged_environment,
    run_config_json,
    runtime_environment,
)
from deployd.environment.relationships import Address, Connection, Related
from deployd.environment.routes import routes_of
from deployd.environment.variables import variables_of
from deployd.project.model import Application, Instance, ProjectConfig, Relationship
from deployd.release.applications.containers import InstanceParts
from deployd.release.applications.kernel_limits import refuse_too_large
from deployd.release.applications.own_hosts import own_hosts
from deployd.release.applications.sizes import size_of
from deployd.release.applications.start_records import lay_out_starts
from deployd.release.applications.start_script import start_script
from deployd.release.applications.web_server import WEB_PORT
from deployd.release.configuration_files import write_files
from deployd.release.data.volumes import mount_places, stage_mounts
from deployd.release.digests import digest
from deployd.release.identity import FOLDER as IDENTITY
from deployd.release.identity import ensure_identity
from deployd.release.ports import Host
from deployd.release.release import Release
from deployd.release.services.containers import credentials_of
from deployd.release.trust import VARIABLES, ensure_trust, trust_binds
from deployd.runtimes.known import runtime_of
from deployd.runtimes.paths import runtime_paths
from deployd.services.families import endpoint_port, family_of

TO_APPLICATIONS = Connection("http", WEB_PORT)


@dataclass(frozen=True, slots=True)
class Described:
    """What an instance's container is put together from; nothing of it need be there yet."""

    parts: InstanceParts
    files: Mapping[str, str]
    """Its configuration: {path below its folder: text}"""
    seen: str
    """Digest of these, as far as they do not depend on the deployment that writes them."""


async def describe_instance(
    release: Release, host: Host, config: ProjectConfig, app: Application, instance: Instance, part: str,
) -> Described:
    """Everything that an instance's container is put together from. Changes nothing that it sees.

    Args:
        part: `shop`, `shop.2`, or `shop--mailer`.
    """
    mounts_of = app.name if instance is app.web.instance else part   # all instances of an application share them
    version = release.version.app(app.name)
    assert version is not None, app.name
    project, environment = release.project.id, release.environment
    settings = await host.facts.with_variables(release.project, release.branch, release.version.variables)
    variables = variables_of(app, instance, settings, release.branch, building=False)
    about = About(
        project, await host.facts.entropy(project), environment.name, release.branch, release.type, version.tree,
    )
    gateway = await host.facts.gateway(environment)
    runtime = runtime_of(app)
    trust = await ensure_trust(host.settings)
    routes = routes_of(host.settings, release.project, environment, release.branch, config)
    around = Surroundings(
        routes.routes, await related(release, host, config, instance.relationships),
        smtp_host=gateway if host.settings.mail.enabled else "",
    )
    values = runtime_environment(
        app, about, variables, commands=instance.commands, around=around, of_services=config.dialect.service_variables,
    )
    merged = merged_environment({**_trusted(trust), **runtime_paths(app)}, values)
    refuse_too_large(part, merged, app.place)
    home = release.home(part)
    folder = host.places.instance(environment, home, part)
    parts = InstanceParts(
        names=release.names, activity=home, app=app, instance=instance, part=part,
        image=version.image_id,
        uid=release.version.uid,
        mounts=await asyncio.to_thread(mount_places, release, host, instance, mounts_of),
        slug=host.slugs.place(version.slug),
        identity=folder / IDENTITY,
        configuration=folder / "config",
        scripts=folder / "scripts",
        sockets=folder / "sockets",
        hosts={**own_hosts(routes.routes, host.settings.router.address, gateway), **instance.additional_hosts},
        trust=await trust_binds(host.settings.state, trust, runtime),
        environment=merged,
        links=links_of(release, config, instance.relationships),
        size=size_of(host.settings, app, instance),
    )
    files = {"run-config.json": json.dumps(run_config_json(
        app, memory_mb=parts.size.memory_mb, cpus=parts.size.cpus, around=around,
    ))}
    files.update(runtime.files(app, variables.ini.get(runtime.name, {}), parts.size.memory_mb, parts.size.cpus))
    default = runtime.start(app) if runtime.start is not None and instance is app.web.instance else None
    hook_comes = part == app.name and app.hooks.deploy and release.awaits_hook
    hook_ended = f"{SCRIPTS_FOLDER}/deploy/status" if hook_comes else None
    seen = digest({**files, "start": start_script(instance.commands, default)})
    return Described(parts, {**files, "start": start_script(instance.commands, default, hook_ended=hook_ended)}, seen)


async def lay_out(release: Release, host: Host, described: Described) -> None:
    """Have everything on the disk that an instance's container sees; mounts the slug and stages the mounts."""
    parts = described.parts
    folder = parts.configuration.parent
    version = release.version.app(parts.app.name)
    assert version is not None, parts.app.name
    is_web = parts.instance is parts.app.web.instance
    await stage_mounts(release, host, parts.instance, parts.app.name if is_web else parts.part)
    await host.slugs.ensure_mounted(version.slug)   # after the mounts: who sees its slug sees them too
    await ensure_identity(folder, parts.uid)
    await _own_folder(folder, parts.sockets.name, parts.uid)
    for name, text in described.files.items():
        path = parts.configuration / name
        await write_files(path.parent, {path.name: text})
    await asyncio.to_thread(parts.scripts.mkdir, mode=0o755, exist_ok=True)
    await asyncio.to_thread(lay_out_starts, parts.scripts, group=parts.uid)


def _trusted(trust: Path | None) -> dict[str, str]:
    """For programs with a store of their own."""
    return dict.fromkeys(VARIABLES, str(STORE)) if trust else {}


def links_of(
    release: Release, config: ProjectConfig, relationships: tuple[Relationship, ...],
) -> dict[str, str]:
    """{`database.internal`: container}: names that only this instance sees, so that two apps may use one name twice."""
    return {f"{item.name}.internal": _found_as(release, config, item) for item in relationships}


def _found_as(release: Release, config: ProjectConfig, item: Relationship) -> str:
    """Of several instances the name that all of them answer to: who asks for it gets those that run, in turns."""
    if config.application(item.target) is not None and len(release.webs(item.target)) > 1:
        return release.names.alias(release.home(item.target), item.target)
    return _container_of(release, config, item)


def _container_of(release: Release, config: ProjectConfig, item: Relationship) -> str:
    if config.application(item.target) is not None:
        return release.container("web", item.target)
    return release.names.service(item.target)


def port_of(config: ProjectConfig, item: Relationship) -> int:
    """Where the target of a relationship listens."""
    service = config.service(item.target)
    return TO_APPLICATIONS.port if service is None else endpoint_port(service, item.endpoint)


async def related(
    release: Release, host: Host, config: ProjectConfig, relationships: tuple[Relationship, ...],
) -> tuple[Related, ...]:
    """Where the relationships of an instance lead, with what is needed to come in."""
    return tuple([await _related(release, host, config, item) for item in relationships])


async def _related(release: Release, host: Host, config: ProjectConfig, item: Relationship) -> Related:
    container = _container_of(release, config, item)
    seen = await host.engine.container(container)
    ip = await _address_of(release, host, seen, item.target)
    address = Address(container, ip, cluster=f"{release.project.id}-{release.environment.name}")
    service = config.service(item.target)
    if service is None:
        app = config.application(item.target)
        kind = app.type if app else ""
        return Related(item.name, item.target, item.endpoint, kind, TO_APPLICATIONS, address, to_application=True)
    credential = (await credentials_of(release, host, service))[item.endpoint]
    connection = family_of(service).connection
    return Related(item.name, item.target, item.endpoint, service.type, connection, address, credential)


async def _address_of(release: Release, host: Host, seen: ContainerSeen | None, target: str) -> str:
    """Where something is found, once the deployment is live."""
    network = release.names.network
    if seen is None or network not in seen.own_addresses:
        # It was made when the engine gave all addresses; what replaces it gets one that it keeps.
        seen = await host.engine.container(release.names.next_service(target, release.id)) or seen
    if seen is None:
        return ""
    return seen.addresses.get(network) or seen.own_addresses.get(network, "")


async def _own_folder(root: Path, name: str, owner: int) -> Path:
    """A folder that a container writes into, below one of root's."""
    await asyncio.to_thread(root.mkdir, parents=True, exist_ok=True)
    await asyncio.to_thread(_make_folder, root, name, owner)
    return root / name


def _make_folder(root: Path, name: str, owner: int) -> None:
    with open_folder(root, name, make_for=owner):
        pass
