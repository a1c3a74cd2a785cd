"""How much a service gets, and what is said when that is more than others get; of applications, too."""

from __future__ import annotations

import pytest

from deployd.project.model import Service
from deployd.project.offered.memory import LEAST_MEMORY_MB
from deployd.project.offered.services import SERVICE_TYPES
from deployd.project.reader import read_project
from deployd.release.applications.sizes import application_raised_words
from deployd.release.services.sizes import raised_words, service_size
from deployd.settings import Settings
from tests.doubles.trees import DictTree


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


@pytest.mark.parametrize(("text", "said"), [
    ("type: 'java:21'", "app gets 1024 MB of memory, as java needs; `size` sets another"),
    ("type: 'java:21'\nsize: S", ""), ("type: 'python:3.13'", ""),
])
def test_an_application_that_gets_more_than_others_is_told(text: str, said: str) -> None:
    found = read_project(DictTree({".platform.app.yaml": f"name: app\n{text}\nweb: {{commands: {{start: x}}}}\n"}))
    assert found.config is not None
    assert application_raised_words(Settings(), found.config.applications[0]) == said
