"""What a step must have before it begins: a slot of a pool, and memory beside it. Pure."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from enum import Enum
from typing import Any


class Pool(Enum):
    """Slots that all activities share, by what they are for, in words."""

    BUILDS = "builds"
    DEPLOYMENTS = "deployments"


BUILDS, DEPLOYMENTS = Pool


@dataclass(frozen=True, slots=True)
class Need:
    """What is wanted beside a slot."""

    memory_mb: int = 0
    what: str = ""
    """For people: `the build`."""
    slot: bool = True
    """False: there is nothing to do for which others would have to wait."""
    is_production: bool = False
    """It comes before what else its project has waiting, and has a part of the share for itself."""


NOTHING_MORE = Need()


def _nothing_more(view: Any, host: Any, total_mb: int) -> Need:
    return NOTHING_MORE


@dataclass(frozen=True, slots=True)
class Admission:
    """A slot that is held from the first step that wants it to the last one in a row."""

    pool: Pool
    need: Callable[[Any, Any, int], Need] = _nothing_more
    """(view, host, megabytes that there can ever be) -> what is wanted beside the slot"""
    words: str = ""
    """What that is, for people."""
