"""Who is in environments over SSH."""

from __future__ import annotations

from aiohttp import web

from deployd.access.actions import Action
from deployd.api.answers import many
from deployd.api.asked import Asked
from deployd.api.route import ApiRoute, Resource
from deployd.queries.stays import StayShape

stays = Resource()


@stays.row(ApiRoute("GET", "/api/v1/stays", Action.READ_AUDIT, "who is in environments over SSH now, oldest first",
                    StayShape, many=True, query=("project",)))
async def list_stays(asked: Asked) -> web.Response:
    return many(await asked.queries.stays.all(asked.projects()))
