"""A forge: all that is special about one place where people keep code, and what its deliveries can say. Pure.

A forge knows no project: whose push it is, and whether it is deployed, is decided by `intake/deliveries.py`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from deployd.forges.telling import Api

Headers = Mapping[str, str]
"""Names in any case: aiohttp's headers are such a mapping."""


@dataclass(frozen=True, slots=True)
class RefMoved:
    """A push, as the forge tells it; nothing of it is checked but that it is text."""

    repository: str
    """`owner/name`"""
    ref: str
    old: str
    new: str
    who: str
    delivery: str = ""
    """The same again when a delivery is repeated; empty when the forge gives it no id."""
    forced: bool = False


@dataclass(frozen=True, slots=True)
class Ping:
    """A forge asks whether anybody is there."""

    text: str


@dataclass(frozen=True, slots=True)
class Ignored:
    """Understood, and nothing to do."""

    reason: str


@dataclass(frozen=True, slots=True)
class Unreadable:
    """Genuine, but not the shape that the forge documents (a custom template, or something between changed it)."""

    lacks: str


Said = RefMoved | Ping | Ignored | Unreadable
"""What a genuine delivery of a webhook says."""


@dataclass(frozen=True, slots=True)
class Forge:
    name: str
    """As in `forge: name` of the settings, in `/hooks/name/project`, and of activities that it started."""
    has_proof: Callable[[Headers], bool]
    """Whether there is a signature or token at all; without one the body need not be read."""
    is_genuine: Callable[[Sequence[str], Headers, bytes, datetime], bool]
    """(secrets, headers, body, now): whether one of the secrets proves exactly these bytes. In constant time."""
    read: Callable[[Headers, bytes], Said]
    """What a genuine delivery says."""
    api: Api
    """How it is told what became of a push."""
