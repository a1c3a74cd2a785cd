"""The two HTTP applications: the public one asks for a token, the one on the Unix socket asks the file system."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Sequence
from contextlib import nullcontext
from dataclasses import dataclass, field
from typing import Any

import structlog
from aiohttp import web

from deployd import __version__
from deployd.access.actions import refuse_unless_may
from deployd.access.caller import NOBODY, OPERATOR, Caller
from deployd.access.concurrency import RequestLimit
from deployd.access.errors import Forbidden, Unauthorized
from deployd.api.answers import unless_known
from deployd.api.asked import Api, Asked
from deployd.api.changing import change, note_refusal
from deployd.api.errors import errors_as_json
from deployd.api.openapi import openapi
from deployd.api.route import ApiRoute, Handler
from deployd.api.routes import HANDLERS, ROUTES
from deployd.http.callers import Callers
from deployd.http.door import Door
from deployd.http.errors import MASK
from deployd.http.errors import Handler as Answer

log = structlog.get_logger()

LARGEST_BODY_BYTES = 2**31
"""Of a push; git itself is told the same limit."""

STREAMS = 100


@dataclass(frozen=True, slots=True)
class Public:
    """How strangers are met on `listen`."""

    callers: Callers
    door: Door = field(default_factory=Door)
    mask: Callable[[str], str] = str
    """See `MASK`."""


def public_application(
    api: Api, more: Sequence[web.RouteDef], public: Public, streams: int = STREAMS,
) -> web.Application:
    """The application on `listen`.

    Args:
        more: Routes that look after their callers themselves: the console, git and webhooks.
        streams: Requests that one token may have under way.
    """
    middlewares = [errors_as_json, public.door.guard(public.callers.by_header, public.callers.by_session)]
    app = _application(api, more, public.callers, middlewares, streams)
    app[MASK] = public.mask
    return app


def local_application(api: Api, more: Sequence[web.RouteDef], streams: int = STREAMS) -> web.Application:
    """The application on the daemon's own socket, which only root can open."""
    return _application(api, more, Callers(lambda _: OPERATOR), [errors_as_json], streams, by="socket")


def _application(
    api: Api, more: Sequence[web.RouteDef], callers: Callers, middlewares: Sequence[Any], streams: int,
    by: str = "api",
) -> web.Application:
    app = web.Application(middlewares=middlewares, client_max_size=LARGEST_BODY_BYTES)
    app.on_response_prepare.append(_keep_from_others)
    document = json.dumps(openapi(ROUTES, __version__))   # once: it is large, and needs no token
    guard = _Guard(api, callers, RequestLimit(streams), by)

    async def describe(_: web.Request) -> web.Response:
        return web.json_response(text=document)

    app.add_routes([
        web.route(route.method, route.path, guard.before(route, handler)) for route, handler in HANDLERS.items()
    ])
    app.add_routes([web.get("/api/v1/openapi.json", describe), *more])
    return app


async def _keep_from_others(_: web.Request, response: web.StreamResponse) -> None:
    """Browsers ask too, with the cookie of a session: nothing is kept after its end, nor taken for what it is not."""
    response.headers.setdefault("Cache-Control", "no-store")
    response.headers.setdefault("X-Content-Type-Options", "nosniff")


@dataclass(frozen=True, slots=True)
class _Guard:
    """Lets to a handler who may come to it."""

    api: Api
    callers: Callers
    limit: RequestLimit
    by: str
    """How the audit log calls this face."""

    def before(self, route: ApiRoute, handler: Handler) -> Answer:
        async def handle(request: web.Request) -> web.StreamResponse:
            began = time.monotonic()
            caller = self.callers.of(request) or NOBODY
            asked = Asked(request, caller, self.api, self.callers, route.action)
            await self._refuse_unless_let(route, asked)
            with self.limit.take(caller.name) if caller != NOBODY else nullcontext():
                if route.changes:
                    answer = await change(asked, route, handler, self.by)
                else:
                    answer = unless_known(request, await handler(asked))
            if route.method != "GET":
                log.info("api_asked", method=route.method, path=request.path, caller=caller.name,
                         status=answer.status, seconds=round(time.monotonic() - began, 3))
            return answer

        return handle

    async def _refuse_unless_let(self, route: ApiRoute, asked: Asked) -> None:
        """See the function of this name; what somebody known wants to change and may not is noted."""
        try:
            _refuse_unless_let(route, asked.request, asked.caller, self.callers)
        except Forbidden as error:
            if route.changes:
                await note_refusal(asked, route, self.by, error)
            raise


def _refuse_unless_let(route: ApiRoute, request: web.Request, caller: Caller, callers: Callers) -> None:
    """
    Raises:
        Unauthorized: The route needs a token, and there is none that is known.
        NotFound: The caller may not know of the project.
        Forbidden: The caller does not do this, or not in this way.
    """
    if route.action is None:
        return
    if caller == NOBODY and "Authorization" in request.headers:
        raise Unauthorized("this token is not known", hint="it may have been changed or taken away")
    if caller == NOBODY:
        raise Unauthorized("this needs a token", hint="send it as `Authorization: Bearer …`")
    if route.method != "GET":
        callers.refuse_remembered(request)
    refuse_unless_may(caller, route.action, request.match_info.get("project"))
