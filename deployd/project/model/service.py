"""A service as its files define it, defaults of its kind filled in."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TypeVar

from deployd.project.model.container import FirewallRule, Relationship, Resources
from deployd.project.model.json import nothing
from deployd.project.model.place import NOWHERE, Place
from deployd.project.model.service_configuration import ServiceConfiguration

C = TypeVar("C", bound=ServiceConfiguration)
ClassOf = type[C]   # in the class below, `type` is another thing


@dataclass(frozen=True, slots=True)
class Endpoint:
    """A named way into a service, with what it may do there."""

    name: str
    default: str | None = None
    """Default schema, database, core, virtual host or key; None when there is none."""
    privileges: Mapping[str, str] = field(default_factory=nothing)
    """{schema: level}"""


@dataclass(frozen=True, slots=True)
class Service:
    name: str
    kind: str
    """`mariadb` of `mariadb:11.8`; `mysql` is read as `mariadb`, as it always was."""
    version: str
    type: str
    """`mysql:10.6`, as written."""
    disk_mb: int | None = None
    size: str = "AUTO"
    schemas: tuple[str, ...] = ()
    """Databases, schemas, cores or virtual hosts that must exist, defaults filled in."""
    endpoints: tuple[Endpoint, ...] = ()
    """Every endpoint, the default ones filled in."""
    configuration: ServiceConfiguration | None = None
    """The rest of `configuration`; None of a kind that has no settings."""
    relationships: tuple[Relationship, ...] = ()
    firewall: tuple[FirewallRule, ...] | None = None
    resources: Resources | None = None
    container_profile: str | None = None
    place: Place = NOWHERE
    type_place: Place = NOWHERE

    def configured(self, kind: ClassOf[C]) -> C:
        """The configuration of a service of this kind, which is that of one that says nothing when it has none."""
        return self.configuration if isinstance(self.configuration, kind) else kind()
