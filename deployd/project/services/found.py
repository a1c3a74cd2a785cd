"""What reading the `configuration` of a service gives."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from deployd.project.fields.fields import Fields
from deployd.project.model.service import Endpoint
from deployd.project.model.service_configuration import ServiceConfiguration


@dataclass(frozen=True, slots=True)
class Found:
    configuration: ServiceConfiguration | None = None
    schemas: tuple[str, ...] = ()
    endpoints: tuple[Endpoint, ...] | None = None
    """None: those that the kind always has."""


Read = Callable[[Fields | None, Fields], Found]
"""(`configuration`, if there is one, and the service around it) -> what they say"""
