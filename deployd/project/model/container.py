"""What files say of any container, an application's or a service's."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from deployd.project.model.place import NOWHERE, Place


@dataclass(frozen=True, slots=True)
class Relationship:
    """An application's way to one endpoint of a service or of another application."""

    name: str
    target: str
    """Name of the service or application."""
    endpoint: str
    """Endpoint of the target, its default filled in."""
    place: Place = NOWHERE


@dataclass(frozen=True, slots=True)
class FirewallRule:
    protocol: Literal["tcp"] = "tcp"
    ips: tuple[str, ...] = ()
    domains: tuple[str, ...] = ()
    ports: tuple[int, ...] = ()


@dataclass(frozen=True, slots=True)
class Resources:
    base_memory_mb: int | None = None
    memory_ratio_mb: int | None = None
