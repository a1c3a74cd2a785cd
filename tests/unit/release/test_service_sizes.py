"""How much a service gets."""

from __future__ import annotations

import pytest

from deployd.project.model import Service
from deployd.project.offered.memory import LEAST_MEMORY_MB
from deployd.project.offered.services import SERVICE_TYPES
from deployd.release.services.sizes import raised_words, service_size
from deployd.settings import Settings


@pytest.mark.parametrize(("kind", "size", "auto_mb", "memory_mb"), [
    ("redis", "AUTO", 512, 512), ("opensearch", "AUTO", 512, 1536), ("opensearch", "AUTO", 4096, 4096),
    ("opensearch", "S", 512, 256), ("opensearch", "2XL", 512, 4096),
])
def test_without_a_size_a_service_gets_what_its_kind_needs(kind: str, size: str, auto_mb: int, memory_mb: int) -> None:
    settings = Settings.model_validate({"sizes": {"AUTO": {"memory_mb": auto_mb, "cpus": 1.5}}})
    service = Service("it", kind, "3", f"{kind}:3", size=size)
    found = service_size(settings, service)
    assert found.memory_mb == memory_mb
    assert found.cpus == (1.5 if size == "AUTO" else settings.size(size).cpus)
    assert bool(raised_words(settings, service)) == (kind == "opensearch" and size == "AUTO" and auto_mb == 512)


def test_what_is_known_of_needs_is_of_kinds_that_there_are() -> None:
    assert set(LEAST_MEMORY_MB) <= set(SERVICE_TYPES)
