"""What a thing looks like, as one short text that changes when the thing does. Pure."""

import hashlib
import json

from deployd.project.model import Service
from deployd.release.images_missing import NO_CONTAINER
from deployd.services.families import family_of
from deployd.settings import Settings


def service_digest(settings: Settings, service: Service, image_id: str) -> str:
    """Changes when the service's container must be made anew or something must be provisioned in it."""
    if service.kind in NO_CONTAINER:
        return digest(service.type)
    size = settings.size(service.size)
    parts = family_of(service).parts(service, memory_mb=size.memory_mb)
    endpoints = [repr(endpoint) for endpoint in service.endpoints]
    return digest([image_id, repr(parts), repr(size), service.schemas, endpoints])


def service_port(settings: Settings, service: Service) -> int:
    """Where the service listens; 0 for one that is only a folder."""
    if service.kind in NO_CONTAINER:
        return 0
    return family_of(service).parts(service, memory_mb=settings.size(service.size).memory_mb).port


def digest(value: object) -> str:
    return hashlib.sha256(json.dumps(value, sort_keys=True, default=str).encode()).hexdigest()[:16]
