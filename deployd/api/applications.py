"""The two HTTP applications: the public one asks for a token, the one on the Unix socket asks the file system."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from contextlib import nullcontext
from typing import Any

import structlog
from aiohttp import web

from deployd import __version__
from deployd.access.actions import refuse_unless_may
from deployd.access.caller import NOBODY, Caller
from deployd.access.errors import Unauthorized
from deployd.api.door import Door, FindCaller, refuse_remembered
from deployd.api.errors import MASK, Handler, errors_as_json
from deployd.api.openapi import openapi
from deployd.api.routes import ApiRoute
from deployd.intake.seats import Seats

log = structlog.get_logger()

LARGEST_BODY_BYTES = 2**31
"""Of a push; git itself is told the same limit."""

STREAMS = 100


def public_application(
    routes: Sequence[ApiRoute], more: Sequence[web.RouteDef], find: FindCaller, door: Door | None = None,
    middlewares: Sequence[Any] = (), mask: Callable[[str], str] = str, streams: int = STREAMS,
) -> web.Application:
    """The application on `listen`.

    Args:
        more: Routes that look after their callers themselves: the console, git and webhooks.
        middlewares: What sees every request first.
        mask: See `MASK`.
        streams: Requests that one token may have under way.
    """
    guards = [*middlewares, errors_as_json, (door or Door()).guard(find)]
    app = _application(routes, more, find, guards, streams)
    app[MASK] = mask
    return app


def local_application(
    routes: Sequence[ApiRoute], more: Sequence[web.RouteDef], streams: int = STREAMS,
) -> web.Application:
    """The application on the daemon's own socket, which only root can open."""
    local = Caller("operator", "admin")
    return _application(routes, more, lambda _: local, [errors_as_json], streams)


def _application(
    routes: Sequence[ApiRoute], more: Sequence[web.RouteDef], find: FindCaller, middlewares: Sequence[Any],
    streams: int,
) -> web.Application:
    seats = Seats(streams)
    app = web.Application(middlewares=middlewares, client_max_size=LARGEST_BODY_BYTES)
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
        if route.action is not None:
            if caller == NOBODY:
                raise Unauthorized("this needs a token", mend="send it as `Authorization: Bearer …`")
            if route.method != "GET":
                refuse_remembered(request)
            refuse_unless_may(caller, route.action)
        with seats.take(caller.name) if caller != NOBODY else nullcontext():
            answer = await route.handler(request, caller)
        if route.method != "GET":
            log.info("api_asked", method=route.method, path=request.path, caller=caller.name,
                     status=answer.status, seconds=round(time.monotonic() - began, 3))
        return answer

    return handle
