"""The two HTTP applications: the public one asks for a token, the one on the Unix socket asks the file system."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from contextlib import nullcontext

import structlog
from aiohttp import web

from deployd import __version__
from deployd.api.errors import Forbidden, Handler, Unauthorized, errors_as_json
from deployd.api.openapi import openapi
from deployd.api.routes import ApiRoute, refuse_role
from deployd.api.shapes import NOBODY, Caller
from deployd.intake.seats import Seats

log = structlog.get_logger()

LARGEST_BODY_BYTES = 2**31
"""Of a push; git itself is told the same limit."""

STREAMS = 100
FindCaller = Callable[[str | None], Caller | None]
"""The caller of an Authorization header."""


def public_application(
    routes: Sequence[ApiRoute], more: Sequence[web.RouteDef], find: FindCaller, streams: int = STREAMS,
) -> web.Application:
    """The application on `listen`.

    Args:
        streams: Requests that one token may have under way.
        more: Routes that look after their callers themselves: the console, git and webhooks.
    """
    return _application(routes, more, find, streams)


def local_application(
    routes: Sequence[ApiRoute], more: Sequence[web.RouteDef], streams: int = STREAMS,
) -> web.Application:
    """The application on the daemon's own socket, which only root can open."""
    local = Caller("operator", "admin")
    return _application(routes, more, lambda _: local, streams)


def _application(
    routes: Sequence[ApiRoute], more: Sequence[web.RouteDef], find: FindCaller, streams: int,
) -> web.Application:
    seats = Seats(streams)
    app = web.Application(middlewares=[errors_as_json], client_max_size=LARGEST_BODY_BYTES)
    document = openapi(routes, __version__)

    async def describe(_: web.Request) -> web.Response:
        return web.json_response(document)

    app.add_routes([web.route(route.method, route.path, _guarded(route, find, seats)) for route in routes])
    app.add_routes([web.get("/api/v1/openapi.json", describe), *more])
    return app


def _guarded(route: ApiRoute, find: FindCaller, seats: Seats) -> Handler:
    async def handle(request: web.Request) -> web.StreamResponse:
        began = time.monotonic()
        caller = find(request.headers.get("Authorization")) or NOBODY
        if route.role:
            if caller == NOBODY:
                log.warning("api_refused", path=request.path, source=request.remote)
                raise Unauthorized("this needs a token", mend="send it as `Authorization: Bearer …`")
            refuse_role(caller, route.role)
            refuse_other_sites(request)
        with seats.take(caller.name) if caller != NOBODY else nullcontext():
            answer = await route.handler(request, caller)
        if route.method != "GET":
            log.info("api_asked", method=route.method, path=request.path, caller=caller.name,
                     status=answer.status, seconds=round(time.monotonic() - began, 3))
        return answer

    return handle


def refuse_other_sites(request: web.Request) -> None:
    """Browsers send a password that they remember along with whatever a page of another site asks for.

    Raises:
        Forbidden: Such a page wants to change something.
    """
    site = request.headers.get("Sec-Fetch-Site", "none")
    if request.method != "GET" and site not in ("none", "same-origin"):
        raise Forbidden("a page of another site asked for this", mend="ask from deployd's own pages, or with a program")
