"""The host: slots, who waits, the disk with its forecast, what runs out."""

from __future__ import annotations

from aiohttp import web

from deployd.access.actions import Action, may, may_in
from deployd.api.answers import one
from deployd.api.asked import Asked
from deployd.api.route import ApiRoute, Resource
from deployd.queries.host import HostShape

host = Resource()


@host.row(ApiRoute("GET", "/api/v1/host", Action.SEE,
                   "how the host is: who waits for what, what takes up the disk and when it is full", HostShape))
async def show_host(asked: Asked) -> web.Response:
    caller = asked.caller
    return one(await asked.queries.host.now(
        may_in(caller, Action.SEE), with_collectable=may(caller, Action.COLLECT),
    ))
