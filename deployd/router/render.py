"""A `RouteSet` as the JSON that the control socket takes. Pure; pure/index.lua of the router reads exactly this.

Surprise: keys that mean nothing are left out instead of being null, because Lua's JSON null is true in a condition.
The text is the same for equal route sets, so that the router can tell a repetition from a change.
"""

from __future__ import annotations

import json
from ipaddress import ip_network
from typing import Any
from urllib.parse import unquote, urlsplit

from deployd.project.model import PathRedirect
from deployd.router.render_tls import render_tls
from deployd.router.table import Access, Route, RouteSet, Target

RELEASED_AT_ONCE = 64
"""Released requests under way at once, for each web container, to begin with (design, section 4)."""


def render_route_set(routes: RouteSet, *, pace: int = RELEASED_AT_ONCE) -> bytes:
    """The body of `/switch` and `/put`.

    Args:
        pace: Released requests that one web container may have under way at once.
    """
    targets = {(target.address, target.port) for route in routes.routes for target in route.targets}
    document: dict[str, Any] = {
        "environment": routes.environment,
        "version": routes.version,
        "origin": routes.origin,
        "robots": routes.robots,
        "pace": pace * max(1, len(targets)),
        "hosts": sorted({route.host for route in routes.routes}),
        "routes": [_route(route) for route in routes.routes],
        "tls": render_tls(routes.routes),
    }
    if routes.asleep is not None:
        document["asleep"] = {
            "hold_seconds": routes.asleep.hold_seconds, "quiet_seconds": routes.asleep.quiet_seconds,
        }
    if routes.within:
        document["within"] = dict(routes.within)
    if routes.access is not None:
        document["access"] = _access(routes.access)
    return json.dumps(document, sort_keys=True, separators=(",", ":")).encode()


def _access(access: Access) -> dict[str, Any]:
    networks = [(rule.allow, ip_network(rule.network, strict=False)) for rule in access.rules]
    return {
        "users": dict(access.users),
        "rules": [
            {"allow": allow, "network": network.network_address.packed.hex(), "bits": network.prefixlen}
            for allow, network in networks
        ],
    }


def _route(route: Route) -> dict[str, Any]:
    found: dict[str, Any] = {
        "scheme": route.scheme,
        "host": route.host,
        "path": unquote(route.path),   # nginx compares what it has decoded
        "type": route.type,
        "targets": [[_bracketed(target), target.port] for target in route.targets],
        "original_url": route.original_url,
        "redirects": [_redirect(rule) for rule in route.redirects],
        "sticky": route.sticky,
        "ssi": route.ssi,
        "cache": {
            "enabled": route.cache.enabled, "default_ttl_seconds": route.cache.default_ttl_seconds,
            "headers": list(route.cache.headers), "cookies": list(route.cache.cookies),
        },
    }
    if route.to is not None:
        found["to"] = route.to
    if route.type == "proxy":
        found |= _outside(route)
    return found


def _redirect(rule: PathRedirect) -> dict[str, Any]:
    path = rule.path if rule.regexp else unquote(rule.path)   # nginx compares what it has decoded
    every = rule.prefix and not rule.regexp and rule.path != "/"   # `/old/` and what is below it, and `/old`
    return {
        "path": path.rstrip("/") if every else path,
        "to": rule.to, "regexp": rule.regexp, "prefix": rule.prefix,
        "append_suffix": rule.append_suffix, "code": rule.code, "expires_seconds": rule.expires_seconds,
    }


def _outside(route: Route) -> dict[str, Any]:
    """Host, TLS and path of a host outside (format 6.1: `to` without a path keeps the route's path)."""
    url = urlsplit(route.to or "")
    found: dict[str, Any] = {"outside_host": url.netloc.rpartition("@")[2], "outside_tls": url.scheme == "https"}
    if url.path:
        found["outside_path"] = url.path
    return found


def _bracketed(target: Target) -> str:
    return f"[{target.address}]" if ":" in target.address else target.address
