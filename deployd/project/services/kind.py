"""What the reader has to know of a kind of service with settings: its keys, and what they mean."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from deployd.project.fields.fields import Fields
from deployd.project.fields.keys import Table
from deployd.project.model.service import Endpoint
from deployd.project.model.service_configuration import ServiceConfiguration


@dataclass(frozen=True, slots=True)
class Found:
    """What reading the `configuration` of a service gives."""

    configuration: ServiceConfiguration | None = None
    schemas: tuple[str, ...] = ()
    endpoints: tuple[Endpoint, ...] | None = None
    """None: those that the kind always has."""


@dataclass(frozen=True, slots=True)
class Kind:
    read: Callable[[Fields | None, Fields], Found]
    """(`configuration`, if there is one, and the service around it) -> what they say"""
    configuration: Table
    inner: tuple[Table, ...] = ()
    """Of the mappings in `configuration`."""
