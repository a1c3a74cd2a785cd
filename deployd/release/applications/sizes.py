"""How much an instance of an application gets: its `size`, and without one what its runtime needs at least. Pure."""

from __future__ import annotations

from deployd.project.model import Application, Instance
from deployd.project.offered.runtimes import runtime_type
from deployd.settings import Settings, Size


def size_of(settings: Settings, app: Application, instance: Instance) -> Size:
    """Memory and processors of the web instance or a worker."""
    size = settings.size(instance.size)
    least = runtime_type(app.runtime_name).least_memory_mb
    if instance.size != "AUTO" or size.memory_mb >= least:
        return size
    return Size(memory_mb=least, cpus=size.cpus)
