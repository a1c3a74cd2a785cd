"""The daemon itself: alive, ready, its status and its figures. None of it needs a token."""

from __future__ import annotations

from dataclasses import dataclass

from aiohttp import web

from deployd.access.caller import NOBODY
from deployd.api.answers import one
from deployd.api.as_json import as_json
from deployd.api.asked import Asked
from deployd.api.metrics import CONTENT_TYPE, render_metrics
from deployd.api.route import ApiRoute, Resource
from deployd.queries.status import StatusShape

daemon = Resource()


@dataclass(frozen=True, slots=True, kw_only=True)
class AliveShape:
    alive: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class ReadyShape:
    ready: bool
    reasons: tuple[str, ...]
    """Why no push can be taken now."""


@daemon.row(ApiRoute("GET", "/healthz", None, "alive: the daemon's loop answers", AliveShape))
async def is_alive(_: Asked) -> web.Response:
    return one(AliveShape(alive=True))


@daemon.row(ApiRoute("GET", "/readyz", None, "ready to take pushes; 503 with the reasons when it is not", ReadyShape))
async def is_ready(asked: Asked) -> web.Response:
    reasons = await asked.queries.status.not_ready()
    return one(ReadyShape(ready=not reasons, reasons=tuple(reasons)), 503 if reasons else 200)


@daemon.row(ApiRoute("GET", "/status", None, "what monitoring polls; environments only with a token", StatusShape,
                     query=("environments",)))
async def show_status(asked: Asked) -> web.Response:
    caller = asked.caller
    wanted = caller != NOBODY and asked.query.get("environments") != "0"
    status = await asked.queries.status.now(with_environments=wanted, with_names=caller.is_everywhere)
    shown = as_json(status)
    shown["environments"] = [item for item in shown["environments"] if caller.may_see(item["project"])]
    return web.json_response(shown)


@daemon.row(ApiRoute("GET", "/metrics", None, "figures for Prometheus; environments only with a token", str,
                     text=CONTENT_TYPE))
async def show_metrics(asked: Asked) -> web.Response:
    status = await asked.queries.status.now(with_environments=False, with_names=False)
    page = render_metrics(status, await asked.queries.figures.now(), asked.caller.may_see)
    return web.Response(body=page, headers={"Content-Type": CONTENT_TYPE})
