"""What a thing looks like, as one short text that changes when the thing does. Pure."""

import hashlib
import json
from dataclasses import fields

from deployd.engine.specs import ContainerSpec, HostNetwork, Network, NetworkMode, NetworkOf, NoNetwork
from deployd.project.model import PostgresqlConfiguration, Service
from deployd.release.images_missing import NO_CONTAINER
from deployd.release.services.sizes import service_size
from deployd.services.families import family_of
from deployd.services.family import Parts
from deployd.settings import Settings


def service_digest(settings: Settings, service: Service, image_id: str, parts: Parts | None) -> str:
    """Changes when the service's container must be made anew or something must be provisioned in it.

    Args:
        parts: What its container is put together from; None: it has none.
    """
    if parts is None:
        return digest(service.type)
    size = service_size(settings, service)
    endpoints = [repr(endpoint) for endpoint in service.endpoints]
    extensions = service.configured(PostgresqlConfiguration).extensions
    more: list[object] = [extensions] if extensions else []   # others are not to be made anew for what they lack
    more += [repr(service.firewall)] if service.firewall is not None else []
    return digest([image_id, repr(parts), repr(size), service.schemas, endpoints, *more])


def service_port(settings: Settings, service: Service) -> int:
    """Where the service listens; 0 for one that is only a folder."""
    if service.kind in NO_CONTAINER:
        return 0
    return family_of(service).parts(service, memory_mb=service_size(settings, service).memory_mb).port


def container_text(spec: ContainerSpec) -> str:
    """All of a container but its address, which is not compared, as the first version wrote it.

    Live containers carry digests of it: where one byte becomes another one, all of them are made anew.
    """
    shown: list[tuple[str, object]] = []
    for item in fields(spec):
        value = getattr(spec, item.name)
        shown += _network_text(value) if item.name == "network" else [(item.name, value)]
    return f"ContainerSpec({', '.join(f'{name}={value!r}' for name, value in shown)})"


def _network_text(mode: NetworkMode) -> list[tuple[str, object]]:
    at = mode if isinstance(mode, Network) else Network("")
    name: str | None
    match mode:
        case NoNetwork():
            name = None
        case HostNetwork():
            name = "host"
        case NetworkOf(container):
            name = f"container:{container}"
        case Network(name):
            pass
    return [("network", name), ("address", None), ("aliases", at.aliases), ("links", at.links), ("hosts", at.hosts)]


def digest(value: object) -> str:
    return hashlib.sha256(json.dumps(value, sort_keys=True, default=str).encode()).hexdigest()[:16]
