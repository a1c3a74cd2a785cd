"""The first half of phase 4: network and services, kept, created or made anew, and what is provisioned in them."""

from __future__ import annotations

import asyncio
import shutil
from dataclasses import dataclass

from deployd.activity.log import Tell
from deployd.deployment.containers import MEGABYTE
from deployd.deployment.host import Host
from deployd.deployment.together import together
from deployd.deployment.validate import read_config
from deployd.deployment.version import ServiceVersion
from deployd.deployment.view import Deployment
from deployd.deployment.wanted import NO_CONTAINER
from deployd.engine.errors import SubnetTaken
from deployd.engine.names import DIGEST, MADE_BY
from deployd.engine.specs import Bind, ContainerSpec, NetworkSpec, VolumeSpec
from deployd.errors import DeployError, Transient
from deployd.project.model import Service
from deployd.services.families import family_of
from deployd.services.family import Credential

READY_SECONDS = 180
SUBNET_AGAIN_SECONDS = 1.0


class ServiceNotReady(DeployError):
    """A service container did not become healthy in its time, or what it must hold could not be made in it."""

    code = "service-not-ready"


@dataclass(frozen=True, slots=True)
class ServicesUp:
    services: tuple[str, ...]


async def start_services(deployment: Deployment, host: Host, tell: Tell) -> ServicesUp:
    """Network, volumes and services of the environment, ready and provisioned, independent ones side by side.

    Raises:
        ServiceNotReady: A service did not come up; its last log lines are the evidence.
        Transient: Somebody else was faster to take the subnet.
    """
    config = await read_config(deployment, host)
    names = deployment.names
    subnet = await host.facts.subnet(deployment.project.id, deployment.environment, names.network)
    try:
        await host.engine.ensure_network(NetworkSpec(names.network, subnet, names.labels("network")))
    except SubnetTaken as error:
        raise Transient(error, SUBNET_AGAIN_SECONDS) from error   # since we looked: another one is chosen then
    wanted = {version.name: version for version in deployment.planned.version.services}
    await together(
        _ensure_service(deployment, host, tell, service, wanted[service.name])
        for service in config.services if service.kind not in NO_CONTAINER
    )
    return ServicesUp(tuple(service.name for service in config.services))


async def put_back_services(deployment: Deployment, host: Host, tell: Tell) -> None:
    """Undo: services that are new go with their empty volumes; those that were made anew become what they were."""
    planned = deployment.planned
    names = deployment.names
    earlier = {version.name: version for version in planned.before.services} if planned.before else {}
    for change in planned.plan.services:
        if change.action == "create":
            await host.engine.ensure_container_gone(names.service(change.name), stop_seconds=0)
            for volume in await host.engine.volumes(_new_volume(deployment, change.name)):
                await host.engine.ensure_volume_gone(volume.name)
        elif change.action == "recreate" and planned.before is not None:
            result = await host.code.read(deployment.project, planned.before.commit)
            service = result.config.service(change.name) if result.config else None
            if service is not None:
                await _ensure_service(deployment, host, tell, service, earlier[change.name])
    if planned.before is None:
        await host.engine.ensure_network_gone(names.network)
        folder = host.places.environment(deployment.project.id, deployment.environment)
        await asyncio.to_thread(shutil.rmtree, folder, True)


def _new_volume(deployment: Deployment, service: str) -> dict[str, str]:
    """Labels of a service's volume; not on one that was kept from the time when there was such a service before."""
    return {**deployment.names.labels("volume", service), MADE_BY: str(deployment.id)}


async def _ensure_service(
    deployment: Deployment, host: Host, tell: Tell, service: Service, version: ServiceVersion,
) -> None:
    spec = await service_container(deployment, host, service, version)
    there = await host.engine.container(spec.name)
    if there is not None and there.labels.get(DIGEST) != version.digest:
        await host.engine.ensure_container_gone(spec.name, stop_seconds=60)
        there = None
    if there is not None and there.running and there.health == "healthy":
        tell.line("kept", app=service.name)
        return
    names = deployment.names
    if any(bind.source == names.volume(service.name) for bind in spec.binds):
        await host.engine.ensure_volume(VolumeSpec(names.volume(service.name), _new_volume(deployment, service.name)))
    await host.engine.ensure_container(spec)
    await host.engine.wait_until_healthy(spec.name, READY_SECONDS)
    credentials = await credentials_of(deployment, host, service)

    async def execute(argv: tuple[str, ...], stdin: bytes | None = None) -> bytes:
        result = await host.engine.execute(spec.name, argv, stdin=stdin, limit_seconds=60)
        if result.status != 0:
            raise ServiceNotReady(
                f"{service.name} ({service.type}) is up, but its users and databases cannot be set up",
                where=str(service.place),
                evidence=tuple((result.stderr or result.stdout).decode(errors="replace").splitlines()[-20:]),
                mend="look at the configuration of the service",
            )
        return result.stdout

    await family_of(service).provision(execute, service, credentials)
    tell.line(f"{service.type} ready", app=service.name)


async def service_container(
    deployment: Deployment, host: Host, service: Service, version: ServiceVersion,
) -> ContainerSpec:
    """The specification of a service's container. It has no activity: it outlives them."""
    size = host.settings.size(service.size)
    names = deployment.names
    parts = family_of(service).parts(service, memory_mb=size.memory_mb)
    root = await host.facts.secret(deployment.project.id, deployment.environment, service.name, "root")
    return ContainerSpec(
        name=names.service(service.name),
        image=version.image_id,
        labels={**names.labels("service", service.name), DIGEST: version.digest},
        command=parts.command,
        environment={**parts.environment, **dict.fromkeys(parts.secret_environment, root)},
        network=names.network,
        aliases=(service.name,),
        binds=(Bind(names.volume(service.name), parts.volume_path),) if parts.volume_path else (),
        tmpfs=parts.tmpfs,
        capabilities=parts.capabilities,
        memory_bytes=size.memory_mb * MEGABYTE,
        cpus=size.cpus,
        open_files=parts.open_files,
        shm_bytes=parts.shm_bytes,
        health=parts.health,
        restart="unless-stopped",
        stop_seconds=60,
    )


async def credentials_of(deployment: Deployment, host: Host, service: Service) -> dict[str, Credential]:
    """{endpoint: credential}; secrets are made on first use and kept."""
    project, environment = deployment.project.id, deployment.environment
    secrets = {
        endpoint.name: await host.facts.secret(project, environment, service.name, endpoint.name)
        for endpoint in service.endpoints
    }
    return dict(family_of(service).credentials(service, secrets.__getitem__))
