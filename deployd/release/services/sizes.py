"""How much a service gets: its `size`, and without one what its kind needs at least. Pure."""

from __future__ import annotations

from deployd.project.model import Service
from deployd.project.offered.memory import LEAST_MEMORY_MB
from deployd.settings import Settings, Size

AUTO = "AUTO"


def service_size(settings: Settings, service: Service) -> Size:
    """Memory and processors of a service."""
    size = settings.size(service.size)
    least = LEAST_MEMORY_MB.get(service.kind, 0)
    if service.size != AUTO or size.memory_mb >= least:
        return size
    return Size(memory_mb=least, cpus=size.cpus)


def raised_words(settings: Settings, service: Service) -> str:
    """Why it gets more than others that name no size; empty: it does not."""
    memory, usual = service_size(settings, service).memory_mb, settings.size(service.size).memory_mb
    if memory == usual:
        return ""
    return f"{service.name} gets {memory} MB of memory, as {service.kind} needs; `size` sets another"
