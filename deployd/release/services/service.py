"""One service of an environment: its container runs, is ready, and holds what the files want of it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from deployd.engine.errors import NotReady
from deployd.engine.names import PART, is_set_aside
from deployd.engine.observed import ContainerSeen
from deployd.engine.specs import ContainerSpec, VolumeSpec
from deployd.errors import DeployError
from deployd.project.model import ProjectConfig, Service
from deployd.release.configuration import read_config
from deployd.release.container_removal import ensure_gone
from deployd.release.images_missing import NO_CONTAINER
from deployd.release.network import fixed_addresses
from deployd.release.parallel import in_parallel
from deployd.release.ports import Host
from deployd.release.release import Environment, Release
from deployd.release.services.containers import credentials_of, service_container
from deployd.release.services.fronts import ensure_front_text, lay_out_front
from deployd.release.version import ServiceVersion
from deployd.services.families import family_of

READY_SECONDS = 180


class ServiceNotReady(DeployError):
    """A service container did not become healthy in its time, or what it must hold could not be made in it."""

    code = "service-not-ready"


@dataclass(frozen=True, slots=True)
class Wanted:
    """A service that is a container, as one version has it."""

    service: Service
    version: ServiceVersion
    address: str
    """That it keeps, also when its container is made anew."""

    @property
    def name(self) -> str:
        return self.service.name


async def wanted_services(
    release: Release, host: Host, config: ProjectConfig, only: frozenset[str] | None = None,
) -> list[Wanted]:
    """The services of the deployment's version that are a container.

    Args:
        only: The names of those that are asked for; None: all.
    """
    pairs = services_of(release, config)
    return await with_addresses(release, host, [pair for pair in pairs if only is None or pair[0].name in only])


def services_of(release: Release, config: ProjectConfig) -> list[tuple[Service, ServiceVersion]]:
    """The services of a version that are a container. Pure."""
    versions = {version.name: version for version in release.version.services}
    return [(service, versions[service.name]) for service in config.services if service.kind not in NO_CONTAINER]


async def with_addresses(
    release: Release, host: Host, pairs: list[tuple[Service, ServiceVersion]],
) -> list[Wanted]:
    """Services with the addresses that they have, or get."""
    containers = [release.names.service(service.name) for service, _ in pairs]
    found = await fixed_addresses(release, host, containers)
    return [Wanted(*pair, found[container]) for pair, container in zip(pairs, containers, strict=True)]


def new_volume(release: Release, service: str) -> Mapping[str, str]:
    """Labels of a service's volume; not on one that was kept from the time when there was such a service before."""
    return release.names.labels("volume", service, made_by=release.id)


async def container_spec(release: Release, host: Host, wanted: Wanted) -> ContainerSpec:
    """What its container is made from; its volume and its files are there when this returns."""
    await ensure_front_text(release, host, wanted.service)
    spec = await service_container(release, host, wanted.service, wanted.version, wanted.address)
    volume = release.names.volume(wanted.name)
    if any(bind.source == volume for bind in spec.binds):
        await host.engine.ensure_volume(VolumeSpec(volume, new_volume(release, wanted.name)))
    return spec


async def ensure_running(release: Release, host: Host, wanted: Wanted) -> ContainerSeen:
    """Have the service's container run; one that is there is kept as it is. Maybe it is not ready yet."""
    there = await host.engine.container(release.names.service(wanted.name))
    if there is not None and there.running:
        return there
    if there is None:
        await lay_out_front(release, host, wanted.service)
    spec = await container_spec(release, host, wanted)
    await host.engine.create(spec)
    await host.walls.admit((spec,))
    return await host.engine.ensure_container(spec)


async def ensure_provisioned(release: Release, host: Host, wanted: Wanted, container: str) -> None:
    """Wait until a service is ready, and have the users and databases in it that its files want.

    Raises:
        ServiceNotReady: It did not come up, or they cannot be made.
    """
    service, version = wanted.service, wanted.version
    try:
        await host.engine.wait_until_healthy(container, READY_SECONDS)
    except NotReady as error:
        raise ServiceNotReady(
            error.what.replace(container, f"the service {service.name} ({version.type})"), where=str(service.place),
            evidence=error.evidence, hint="its last lines above say why; often it is its configuration or its `size`",
        ) from None
    credentials = await credentials_of(release, host, service)

    async def execute(argv: tuple[str, ...], stdin: bytes | None = None) -> bytes:
        result = await host.engine.execute(container, argv, stdin=stdin, limit_seconds=60)
        if result.status != 0:
            raise ServiceNotReady(
                f"{service.name} ({version.type}) is up, but its users and databases cannot be set up",
                where=str(service.place),
                evidence=tuple((result.stderr or result.stdout).decode(errors="replace").splitlines()[-20:]),
                hint="look at the configuration of the service",
            )
        return result.stdout

    await family_of(service).provision(execute, service, credentials)


async def make_service_again(release: Release, host: Host, name: str) -> None:
    """Have a service of the deployment's version whose container somebody removed, on the volume that it had.

    Raises:
        ServiceNotReady: It did not come up.
    """
    config = await read_config(release, host)
    [wanted] = await wanted_services(release, host, config, frozenset({name}))
    seen = await ensure_running(release, host, wanted)
    await ensure_provisioned(release, host, wanted, seen.name)


async def remove_set_aside(environment: Environment, host: Host) -> None:
    """Remove containers of services that wait for their turn, or had it."""
    found = await host.engine.containers(environment.names.labels("service"))
    await in_parallel(
        ensure_gone(host, item, stop_seconds=0)
        for item in found if is_set_aside(item.name, item.labels.get(PART, ""))
    )
