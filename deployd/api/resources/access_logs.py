"""Access logs of environments."""

from __future__ import annotations

from aiohttp import web

from deployd.access.actions import Action
from deployd.api.answers import stream
from deployd.api.asked import Asked
from deployd.api.route import ENVIRONMENT, ApiRoute, Resource
from deployd.queries.access_logs import RequestShape

access_logs = Resource()

DEFAULT_REQUESTS, MOST_REQUESTS = 100, 100_000


@access_logs.row(ApiRoute("GET", f"{ENVIRONMENT}/access-log", Action.SEE, "its last requests, and those that come",
                          RequestShape, stream=True, query=("lines", "follow")))
async def follow_access_log(asked: Asked) -> web.StreamResponse:
    project, environment = asked.environment()
    lines = min(asked.number("lines", DEFAULT_REQUESTS), MOST_REQUESTS)
    found = await asked.queries.access_logs.follow(project, environment, lines)
    return await stream(asked, found, follow=asked.is_set("follow"))
