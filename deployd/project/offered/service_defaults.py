"""What a service has when its `configuration` says nothing (configuration format 5.2). Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from deployd.project.model import Endpoint, Json
from deployd.project.offered.services import SERVICE_TYPES


@dataclass(frozen=True, slots=True)
class Configuration:
    schemas: tuple[str, ...] = ()
    endpoints: tuple[Endpoint, ...] = ()
    rest: Mapping[str, Json] = field(default_factory=dict)


def default_endpoints(kind: str, default: str | None = None) -> tuple[Endpoint, ...]:
    return tuple(Endpoint(name, default) for name in SERVICE_TYPES[kind].endpoints)
