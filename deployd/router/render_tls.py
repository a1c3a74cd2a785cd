"""What each host asks of those who come over TLS, as JSON for the router (configuration format 6.5). Pure.

TLS is agreed on before a path is known, so it is of a host: what one https route says counts for all of its host.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from typing import Any

from deployd.project.model import Hsts
from deployd.router.table import Route

HSTS_SECONDS = 31_536_000
"""One year: configuration format 6.5."""
NEWEST = "TLSv1.3"
"""The router speaks 1.2 and 1.3, so this is the only lowest version that makes a difference."""


def render_tls(routes: Iterable[Route]) -> dict[str, dict[str, Any]]:
    """{host: what it asks}, without hosts that ask for nothing."""
    by_host: dict[str, list[Route]] = {}
    for route in routes:
        if route.scheme == "https":
            by_host.setdefault(route.host, []).append(route)
    found = {host: _of_host(of_host) for host, of_host in by_host.items()}
    return {host: asked for host, asked in found.items() if asked}


def _of_host(routes: list[Route]) -> dict[str, Any]:
    asked: dict[str, Any] = {}
    header = next((_hsts(route.tls.hsts) for route in routes if route.tls.hsts.enabled), None)
    if header:
        asked["hsts"] = header
    if any(route.tls.min_version == NEWEST for route in routes):
        asked["newest_only"] = True
    wanted = {route.tls.client_authentication for route in routes} - {None}
    if wanted:
        authorities = "\n".join(dict.fromkeys(
            text.strip() for route in routes for text in route.tls.client_certificate_authorities
        ))
        asked["authentication"] = "require" if "require" in wanted else "request"
        asked["authorities"] = authorities
        asked["digest"] = hashlib.sha256(authorities.encode()).hexdigest()
    return asked


def _hsts(hsts: Hsts) -> str:
    parts = [f"max-age={HSTS_SECONDS}"]
    if hsts.include_subdomains:
        parts.append("includeSubDomains")
    if hsts.preload:
        parts.append("preload")
    return "; ".join(parts)
