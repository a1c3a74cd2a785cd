"""An environment asked as its visitors ask it: by its own hosts, over its own routes.

Straight to the containers that its routes lead to, which works before the switch and leaves no trace in access logs; or
through the router, as everybody else. Where only some may come in, nobody of ours has a password, and the container is
asked instead.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterator, Sequence
from urllib.parse import quote, urljoin

import aiohttp

from deployd.release.answers.page_text import MOST_BYTES, first_lines
from deployd.release.answers.visit_words import Visit
from deployd.release.parallel import in_parallel
from deployd.router.table import Route, RouteSet
from deployd.settings import RouterSettings

MOST_ASKED = 5
"""URLs of one environment."""
LIMIT_SECONDS = 5.0
USUAL_PORTS = {"http": 80, "https": 443}
ANY_ADDRESS = {"0.0.0.0": "127.0.0.1", "::": "::1"}
PATH_KEPT = "/%:@!$&'()*+,;=~"
HEADERS = {"User-Agent": "deployd health check", "Accept": "text/html,*/*;q=0.8", "Accept-Encoding": "identity"}


async def visit_containers(
    routes: RouteSet, settings: RouterSettings, limit_seconds: float = LIMIT_SECONDS,
) -> tuple[Visit, ...]:
    """What the containers of these routes answer to their visitors, whoever is let in."""
    return await _visit(routes, settings, limit_seconds, straight=True)


async def visit_router(
    routes: RouteSet, settings: RouterSettings, limit_seconds: float = LIMIT_SECONDS,
) -> tuple[Visit, ...]:
    """What visitors get now from the environment of these routes."""
    return await _visit(routes, settings, limit_seconds, straight=routes.access is not None)


async def _visit(
    routes: RouteSet, settings: RouterSettings, limit_seconds: float, *, straight: bool,
) -> tuple[Visit, ...]:
    async with aiohttp.ClientSession(
        timeout=aiohttp.ClientTimeout(total=limit_seconds), auto_decompress=False,
        cookie_jar=aiohttp.DummyCookieJar(), headers=HEADERS,
    ) as session:
        return tuple(await in_parallel(
            _ask(session, route, settings, straight=straight or route.tls.client_authentication == "require")
            for route in asked(routes.routes)
        ))


def asked(routes: Sequence[Route]) -> list[Route]:
    """The routes that are asked: the first of each host and of each container, where there is one. Pure."""
    return list(_asked(routes))[:MOST_ASKED]


def _asked(routes: Sequence[Route]) -> Iterator[Route]:
    hosts, targets = set[str](), set[str]()
    for route in routes:
        if route.type != "upstream" or not route.targets or "*" in route.host:
            continue
        target = route.targets[0].address
        if route.host not in hosts or target not in targets:
            hosts.add(route.host)
            targets.add(target)
            yield route


def url_of(route: Route, settings: RouterSettings) -> str:
    """As visitors write it. Pure."""
    return f"{route.scheme}://{authority_of(route, settings)}{quote(route.path, safe=PATH_KEPT)}"


def port_of(route: Route, settings: RouterSettings) -> int:
    """At which visitors ask for it. Pure."""
    return (settings.https_port if route.scheme == "https" else settings.http_port) or USUAL_PORTS[route.scheme]


def authority_of(route: Route, settings: RouterSettings) -> str:
    """Its host, with the port unless that is the usual one. Pure."""
    port = port_of(route, settings)
    return route.host if port == USUAL_PORTS[route.scheme] else f"{route.host}:{port}"


def _address(route: Route, settings: RouterSettings, *, straight: bool) -> str:
    """Where it is asked. Pure."""
    host, port = ANY_ADDRESS.get(settings.address, settings.address), port_of(route, settings)
    if straight:
        host, port = route.targets[0].address, route.targets[0].port
    host = f"[{host}]" if ":" in host else host
    return f"{'http' if straight else route.scheme}://{host}:{port}{quote(route.path, safe=PATH_KEPT)}"


async def _ask(session: aiohttp.ClientSession, route: Route, settings: RouterSettings, *, straight: bool) -> Visit:
    url, authority = url_of(route, settings), authority_of(route, settings)
    headers = {"Host": authority}
    if straight:
        headers |= {
            "X-Forwarded-Proto": route.scheme, "X-Forwarded-Host": authority,
            "X-Forwarded-Port": str(port_of(route, settings)), "X-Original-Route": route.original_url,
        }
    try:
        async with session.get(
            _address(route, settings, straight=straight), headers=headers, allow_redirects=False,
            ssl=False,   # what its certificate says is said elsewhere
            server_hostname=None if straight else route.host,
        ) as answer:
            body = await _beginning(answer.content, (session.timeout.total or LIMIT_SECONDS) / 5)
            return Visit(
                url, answer.status, first_lines(body, answer.headers.get("Content-Type", "")),
                in_circles=300 <= answer.status < 400 and _leads_to(answer.headers.get("Location", ""), url),
            )
    except TimeoutError:
        return Visit(url, why=f"no answer within {session.timeout.total:g} s")
    except (aiohttp.ClientError, ValueError, OSError) as error:
        return Visit(url, why=f"no answer ({type(error).__name__})")


def _leads_to(location: str, url: str) -> bool:
    """Whether a redirect leads to the URL that it came from. Pure."""
    try:
        return bool(location) and urljoin(url, location) == url
    except ValueError:
        return False


async def _beginning(content: aiohttp.StreamReader, patience_seconds: float) -> bytes:
    """Of a body; one that takes its time, as an endless stream does, is left alone after a moment."""
    found = b""
    try:
        async with asyncio.timeout(patience_seconds):
            while len(found) < MOST_BYTES and (chunk := await content.read(MOST_BYTES - len(found))):
                found += chunk
    except TimeoutError:
        pass
    return found
