"""The first half of phase 4: network and services, kept, created or made anew, and what is provisioned in them.

What is new begins with the build, and comes up while that goes on: nobody uses it yet. What is live waits its turn.
"""

from __future__ import annotations

from dataclasses import dataclass

from deployd.activity.log import Tell
from deployd.confined.going import put_aside
from deployd.confined.stages import ensure_unstaged
from deployd.deployment.addresses import fixed_addresses
from deployd.deployment.gone import ensure_gone
from deployd.deployment.host import Host
from deployd.deployment.images_missing import NO_CONTAINER
from deployd.deployment.service_container import credentials_of, service_container
from deployd.deployment.together import together
from deployd.deployment.validate import read_config
from deployd.deployment.version import ServiceVersion
from deployd.deployment.view import Deployment
from deployd.engine.addresses import given_by_docker
from deployd.engine.errors import NotReady, SubnetTaken
from deployd.engine.names import DIGEST, MADE_BY, bridge_name
from deployd.engine.seen import ContainerSeen
from deployd.engine.specs import NetworkSpec, VolumeSpec
from deployd.errors import DeployError, Transient
from deployd.project.model import ProjectConfig, Service
from deployd.services.families import family_of

READY_SECONDS = 180
SUBNET_AGAIN_SECONDS = 1.0


class ServiceNotReady(DeployError):
    """A service container did not become healthy in its time, or what it must hold could not be made in it."""

    code = "service-not-ready"


@dataclass(frozen=True, slots=True)
class ServicesUp:
    services: tuple[str, ...]


async def begin_services(deployment: Deployment, host: Host, tell: Tell) -> None:
    """Network of the environment, and its new services started: they come up while the code is built.

    What is live is not touched here: a service that is made anew waits for `start_services`.

    Raises:
        Transient: Somebody else was faster to take the subnet.
    """
    config = await read_config(deployment, host)
    await ensure_network(deployment, host)
    new = {change.name for change in deployment.planned.plan.services if change.action == "create"}
    wanted = [(service, version) for service, version in _wanted(deployment, config) if service.name in new]
    addresses = await _addresses(deployment, host, [service for service, _ in wanted])
    await together(
        _ensure_running(deployment, host, service, version, addresses[service.name]) for service, version in wanted
    )


async def end_new_services(deployment: Deployment, host: Host, tell: Tell) -> None:
    """Undo: services that are new go with their empty volumes, and the network with them when all of it is new."""
    names = deployment.names
    for change in deployment.planned.plan.services:
        if change.action == "create":
            await ensure_gone(host, names.service(change.name), stop_seconds=0)
            for volume in await host.engine.volumes(_new_volume(deployment, change.name)):
                await host.engine.ensure_volume_gone(volume.name)
    if deployment.planned.before is None:
        await host.engine.ensure_network_gone(names.network)
        folder = host.places.environment(deployment.project.id, deployment.environment)
        await ensure_unstaged(host.places.all_stages(deployment.project.id, deployment.environment))
        await put_aside(folder, host.places.going)


async def start_services(deployment: Deployment, host: Host, tell: Tell) -> ServicesUp:
    """Network, volumes and services of the environment, ready and provisioned, independent ones side by side.

    Raises:
        ServiceNotReady: A service did not come up; its last log lines are the evidence.
        Transient: Somebody else was faster to take the subnet.
    """
    config = await read_config(deployment, host)
    await ensure_network(deployment, host)
    wanted = _wanted(deployment, config)
    addresses = await _addresses(deployment, host, [service for service, _ in wanted])
    await together(
        _ensure_service(deployment, host, tell, service, version, addresses[service.name])
        for service, version in wanted
    )
    return ServicesUp(tuple(service.name for service in config.services))


async def make_service_again(deployment: Deployment, host: Host, name: str) -> None:
    """Have a service of the deployment's version whose container somebody removed, on the volume that it had.

    Raises:
        ServiceNotReady: It did not come up.
    """
    config = await read_config(deployment, host)
    service, version = next(pair for pair in _wanted(deployment, config) if pair[0].name == name)
    address = (await _addresses(deployment, host, [service]))[name]
    seen = await _ensure_running(deployment, host, service, version, address)
    await _ensure_provisioned(deployment, host, service, version, seen)


async def put_back_services(deployment: Deployment, host: Host, tell: Tell) -> None:
    """Undo: services that are new go; those that were made anew become what they were."""
    await end_new_services(deployment, host, tell)
    planned = deployment.planned
    earlier = {version.name: version for version in planned.before.services} if planned.before else {}
    for change in planned.plan.services:
        if change.action == "recreate" and planned.before is not None:
            result = await host.code.read(deployment.project, planned.before.commit)
            service = result.config.service(change.name) if result.config else None
            if service is not None:
                address = (await _addresses(deployment, host, [service]))[service.name]
                await _ensure_service(deployment, host, tell, service, earlier[change.name], address)


def _wanted(deployment: Deployment, config: ProjectConfig) -> list[tuple[Service, ServiceVersion]]:
    """Services that are a container, each with its version of this deployment."""
    versions = {version.name: version for version in deployment.planned.version.services}
    return [(service, versions[service.name]) for service in config.services if service.kind not in NO_CONTAINER]


async def ensure_network(deployment: Deployment, host: Host) -> None:
    """Have the environment's network; one that is there keeps the subnet that it has.

    Raises:
        Transient: Somebody else was faster to take the subnet.
    """
    names = deployment.names
    if await host.engine.network(names.network) is not None:
        return
    subnet = await host.facts.subnet(deployment.project.id, deployment.environment, names.network)
    try:
        await host.engine.ensure_network(
            NetworkSpec(
                names.network, subnet, names.labels("network"), given=given_by_docker(subnet),
                bridge=bridge_name(names.instance, names.network, subnet),
            ),
        )
    except SubnetTaken as error:
        raise Transient(error, SUBNET_AGAIN_SECONDS) from error   # since we looked: another one is chosen then


async def _addresses(deployment: Deployment, host: Host, services: list[Service]) -> dict[str, str]:
    """{service: the address that it keeps}, also when its container is made anew."""
    containers = {service.name: deployment.names.service(service.name) for service in services}
    found = await fixed_addresses(deployment, host, list(containers.values()))
    return {name: found[container] for name, container in containers.items()}


def _new_volume(deployment: Deployment, service: str) -> dict[str, str]:
    """Labels of a service's volume; not on one that was kept from the time when there was such a service before."""
    return {**deployment.names.labels("volume", service), MADE_BY: str(deployment.id)}


async def _ensure_running(
    deployment: Deployment, host: Host, service: Service, version: ServiceVersion, address: str,
) -> ContainerSeen:
    """Have the service's container run as its version wants it, with its volume. Maybe it is not ready yet."""
    spec = await service_container(deployment, host, service, version, address)
    there = await host.engine.container(spec.name)
    if there is not None and there.labels.get(DIGEST) != version.digest:
        await ensure_gone(host, there, stop_seconds=60)
        there = None
    if there is not None and there.running:
        return there
    names = deployment.names
    if any(bind.source == names.volume(service.name) for bind in spec.binds):
        await host.engine.ensure_volume(VolumeSpec(names.volume(service.name), _new_volume(deployment, service.name)))
    return await host.engine.ensure_container(spec)


async def _ensure_service(
    deployment: Deployment, host: Host, tell: Tell, service: Service, version: ServiceVersion, address: str,
) -> None:
    seen = await _ensure_running(deployment, host, service, version, address)
    planned = next((change for change in deployment.planned.plan.services if change.name == service.name), None)
    if planned is not None and planned.action == "keep" and seen.health == "healthy":
        tell.line("kept", app=service.name)
        return
    await _ensure_provisioned(deployment, host, service, version, seen)
    tell.line(f"{version.type} ready", app=service.name)


async def _ensure_provisioned(
    deployment: Deployment, host: Host, service: Service, version: ServiceVersion, seen: ContainerSeen,
) -> None:
    try:
        await host.engine.wait_until_healthy(seen.name, READY_SECONDS)
    except NotReady as error:
        raise ServiceNotReady(
            error.what.replace(seen.name, f"the service {service.name} ({version.type})"), where=str(service.place),
            evidence=error.evidence, mend="its last lines above say why; often it is its configuration or its `size`",
        ) from None
    credentials = await credentials_of(deployment, host, service)

    async def execute(argv: tuple[str, ...], stdin: bytes | None = None) -> bytes:
        result = await host.engine.execute(seen.name, argv, stdin=stdin, limit_seconds=60)
        if result.status != 0:
            raise ServiceNotReady(
                f"{service.name} ({version.type}) is up, but its users and databases cannot be set up",
                where=str(service.place),
                evidence=tuple((result.stderr or result.stdout).decode(errors="replace").splitlines()[-20:]),
                mend="look at the configuration of the service",
            )
        return result.stdout

    await family_of(service).provision(execute, service, credentials)
