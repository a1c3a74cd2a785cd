"""How the web server of an application answers: locations and their rules."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from deployd.project.model.json import nothing


@dataclass(frozen=True, slots=True)
class Rule:
    """What differs for paths of a location that match a regular expression. None: as the location says."""

    pattern: str
    allow: bool | None = None
    passthru: bool | str | None = None
    scripts: bool | None = None
    expires_seconds: int | None = None
    headers: Mapping[str, str] | None = None


@dataclass(frozen=True, slots=True)
class RequestBuffering:
    enabled: bool = True
    max_request_size_bytes: int = 262_144_000


@dataclass(frozen=True, slots=True)
class Location:
    """How the web server of an application answers below one path prefix."""

    path: str
    root: str | None = None
    """Folder of static files below the application's root, without outer slashes; "" is the root itself."""
    passthru: bool | str = False
    index: tuple[str, ...] = ()
    expires_seconds: int = -1
    """-1 forbids caching."""
    allow: bool = True
    scripts: bool = True
    headers: Mapping[str, str] = field(default_factory=nothing)
    request_buffering: RequestBuffering = RequestBuffering()
    rules: tuple[Rule, ...] = ()
