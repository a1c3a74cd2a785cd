"""Routes that lead nowhere, for an environment that cannot be put back: its hosts are known, and answer 503. Pure."""

from __future__ import annotations

from typing import Literal
from urllib.parse import urlsplit

from deployd.release.version import Version
from deployd.router.table import Route, RouteSet


def shut_routes(environment: str, version: Version) -> RouteSet:
    """What is known of the routes without reading a configuration: the addresses that were told when it went live.

    Without a version and an origin, so that whoever compares finds that the real routes have to be put.
    """
    return RouteSet(environment, "", tuple(_shut(url) for url in version.routes))


def _shut(url: str) -> Route:
    parts = urlsplit(url)
    scheme: Literal["http", "https"] = "https" if parts.scheme == "https" else "http"
    return Route(scheme, parts.hostname or "", parts.path or "/", "upstream", original_url=url)
