"""What steps leave in the journal for later ones."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class ServicesUp:
    """Of `start_services`."""

    services: tuple[str, ...]
    replaced: tuple[str, ...] = ()
    """Those that are made anew when visitors are held."""
    new_owner: bool = False
    """The files of the environment's mounts belong to another user, and are given to the project's."""


@dataclass(frozen=True, slots=True)
class Replaced:
    """Of `replace_services`."""

    seconds: Mapping[str, float] = field(default_factory=dict)
    """{service: how long visitors would have missed it}"""
    apps: tuple[str, ...] = ()
    """Those that had to wait for it."""
