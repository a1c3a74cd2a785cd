"""What steps leave in the journal for later ones."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from deployd.ids import ActivityId


@dataclass(frozen=True, slots=True)
class ServicesUp:
    """Of `start_services`."""

    services: tuple[str, ...]
    replaced: tuple[str, ...] = ()
    """Those that are made anew when visitors are held."""
    new_owner: bool = False
    """The files of the environment's mounts belong to another user, and are given to the project's."""


@dataclass(frozen=True, slots=True)
class AppsUp:
    """Of `start_apps`."""

    containers: tuple[str, ...]
    """That were started."""
    kept: Mapping[str, ActivityId] = field(default_factory=dict)
    """{application that goes on in its containers: the deployment that made these}"""


@dataclass(frozen=True, slots=True)
class Replaced:
    """Of `replace_services`."""

    seconds: Mapping[str, float] = field(default_factory=dict)
    """{service: how long visitors would have missed it}"""
    apps: tuple[str, ...] = ()
    """Those that had to wait for it."""
