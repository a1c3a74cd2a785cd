"""What a round of housekeeping takes away, decided from what there is. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Literal

Kind = Literal[
    "slug", "image", "cache", "kept result", "data", "volume", "snapshot", "version", "workspace", "log", "cron log",
    "environment",
]
KINDS_OF_SPACE: frozenset[Kind] = frozenset({"slug", "image", "cache", "kept result"})
"""What can be made again: it goes without grace when the disk is short. Data never does."""


@dataclass(frozen=True, slots=True)
class Thing:
    """Something that takes up room."""

    kind: Kind
    name: str
    """Unique within its kind."""
    size_bytes: int
    needed_by: str = ""
    """Who needs it, in words; empty: nobody."""
    why: str = ""
    """Why nobody does, in words."""

    @property
    def key(self) -> tuple[Kind, str]:
        return (self.kind, self.name)


@dataclass(frozen=True, slots=True)
class Going:
    """A thing that goes, or would go."""

    thing: Thing
    unneeded_since: datetime


@dataclass(frozen=True, slots=True)
class Rules:
    """How long what nobody needs is kept, for each kind."""

    grace: Mapping[Kind, timedelta]
    short: bool = False
    """The disk is short of space."""

    def of(self, kind: Kind) -> timedelta:
        return timedelta(0) if self.short and kind in KINDS_OF_SPACE else self.grace.get(kind, timedelta(0))


def unneeded(things: Iterable[Thing]) -> tuple[Thing, ...]:
    """What nobody needs."""
    return tuple(thing for thing in things if not thing.needed_by)


def what_goes(
    things: Iterable[Thing], since: Mapping[tuple[str, str], datetime], rules: Rules, now: datetime,
) -> tuple[Going, ...]:
    """What nobody needs and whose grace is over; the largest first.

    Args:
        since: When a round first saw that nobody needs it; what is not in it is seen now for the first time.
    """
    found = [
        Going(thing, seen) for thing in unneeded(things)
        if now - (seen := min(since.get(thing.key, now), now)) >= rules.of(thing.kind)
    ]
    return tuple(sorted(found, key=lambda going: (-going.thing.size_bytes, going.thing.key)))
