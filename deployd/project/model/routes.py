"""Routes as the file has them, placeholders unresolved."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

from deployd.project.model.json import nothing
from deployd.project.model.place import NOWHERE, Place


@dataclass(frozen=True, slots=True)
class PathRedirect:
    path: str
    to: str
    regexp: bool = False
    prefix: bool = True
    append_suffix: bool = True
    code: int = 302
    expires_seconds: int = -1


@dataclass(frozen=True, slots=True)
class Hsts:
    enabled: bool | None = None
    include_subdomains: bool | None = None
    preload: bool | None = None


@dataclass(frozen=True, slots=True)
class RouteTls:
    min_version: str | None = None
    hsts: Hsts = Hsts()
    client_authentication: Literal["request", "require"] | None = None
    client_certificate_authorities: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class RouteCache:
    enabled: bool = True
    default_ttl_seconds: int = 0
    headers: tuple[str, ...] = ("Accept", "Accept-Language")
    cookies: tuple[str, ...] = ("*",)


@dataclass(frozen=True, slots=True)
class RouteTemplate:
    """A route as the file has it, placeholders unresolved. `environment/routes.py` makes real routes of it."""

    url: str
    """As written: `https://{default}`."""
    type: Literal["upstream", "redirect", "proxy"]
    upstream: str | None = None
    """Name of the application or service."""
    endpoint: str | None = None
    to: str | None = None
    primary: bool | None = None
    id: str | None = None
    attributes: Mapping[str, str] = field(default_factory=nothing)
    redirects: tuple[PathRedirect, ...] = ()
    tls: RouteTls = RouteTls()
    cache: RouteCache = RouteCache()
    ssi: bool = False
    sticky: bool = False
    place: Place = NOWHERE
