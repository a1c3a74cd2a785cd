"""What a service's container is put together from, and the credentials of those who use it."""

from __future__ import annotations

from collections.abc import Mapping

from deployd.engine.names import OUTBOUND, PUBLIC, with_digest
from deployd.engine.specs import Bind, ContainerSpec, Network
from deployd.environment.relationships import Credential
from deployd.firewall.outbound import Outbound, encode_outbound
from deployd.project.model import Service
from deployd.release.ports import Host
from deployd.release.release import Release
from deployd.release.services.fronts import folder_bind
from deployd.release.services.parts import parts_of
from deployd.release.services.secrets import ROOT, ensure_secret_files, secret_file
from deployd.release.services.sizes import service_size
from deployd.release.version import ServiceVersion
from deployd.services.families import family_of
from deployd.services.family import SECRET_FILE
from deployd.units import MEGABYTE

FETCH_PAGES = frozenset({"chrome-headless", "gotenberg"})
"""Kinds of services that open pages for applications, wherever these are."""


async def service_container(
    release: Release, host: Host, service: Service, version: ServiceVersion, address: str,
) -> ContainerSpec:
    """The specification of a service's container, and the files of its own that it sees. It has no activity: it
    outlives them."""
    size = service_size(host.settings, service)
    names = release.names
    parts = parts_of(host.settings, release.project, service, version.type.partition(":")[2])
    whose = (release.environment, service.name)
    run_folder = host.places.run
    if parts.secret_files:
        await ensure_secret_files(run_folder, *whose, await host.facts.secret(*whose, ROOT))
    files = tuple(
        Bind(str(secret_file(run_folder, *whose, form)), path, read_only=True)
        for form, path in parts.secret_files.items()
    )
    data = (Bind(names.volume(service.name), parts.volume_path),) if parts.volume_path else ()
    return ContainerSpec(
        name=names.service(service.name),
        image=version.image_id,
        labels=with_digest({**names.labels("service", service.name), **outbound_label(service)}, version.digest),
        command=parts.command,
        environment={**parts.environment, **dict.fromkeys(parts.secret_environment, SECRET_FILE)},
        network=Network(names.network, address, (service.name,)),
        binds=(*data, *files, *folder_bind(release, host, service)),
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


def outbound_label(service: Service) -> Mapping[str, str]:
    """Its own rules; whatever is public, where fetching pages is what it is for; else nothing at all (no label)."""
    if service.firewall is not None:
        return {OUTBOUND: encode_outbound(Outbound(service.firewall))}
    return {OUTBOUND: PUBLIC} if service.kind in FETCH_PAGES else {}


async def credentials_of(release: Release, host: Host, service: Service) -> dict[str, Credential]:
    """{endpoint: credential}; secrets are made on first use and kept."""
    secrets = {
        endpoint.name: await host.facts.secret(release.environment, service.name, endpoint.name)
        for endpoint in service.endpoints
    }
    return dict(family_of(service).credentials(service, secrets.__getitem__))
