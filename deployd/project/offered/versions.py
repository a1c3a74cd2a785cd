"""Versions of a runtime or a service, as the hosted platforms have them. Values only."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Versions:
    supported: tuple[str, ...]
    """Supported by the hosted platforms in August 2026."""
    retired: tuple[str, ...]
    """No longer supported there: accepted with a warning."""

    @property
    def all(self) -> tuple[str, ...]:
        return (*self.retired, *self.supported)


def versions(supported: str, retired: str = "") -> Versions:
    """From two lines of words."""
    return Versions(tuple(supported.split()), tuple(retired.split()))
