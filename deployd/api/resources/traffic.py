"""What visitors of environments got."""

from __future__ import annotations

from aiohttp import web

from deployd.access.actions import Action
from deployd.api.answers import one
from deployd.api.asked import Asked
from deployd.api.route import ENVIRONMENT, ApiRoute, Resource
from deployd.queries.traffic import TrafficShape

traffic = Resource()


@traffic.row(ApiRoute("GET", f"{ENVIRONMENT}/traffic", Action.SEE,
                      "what its visitors got within the last hour or day", TrafficShape, query=("span",)))
async def traffic_of(asked: Asked) -> web.Response:
    project, environment = asked.environment()
    return one(await asked.queries.traffic.of(project, environment, asked.query.get("span", "hour")))
