"""What environments are made of."""

from __future__ import annotations

from aiohttp import web

from deployd.access.actions import Action, may
from deployd.api.answers import one
from deployd.api.asked import Asked
from deployd.api.route import ENVIRONMENT, ApiRoute, Resource
from deployd.queries.parts import PartsShape, without_settings

parts = Resource()


@parts.row(ApiRoute("GET", f"{ENVIRONMENT}/parts", Action.SEE,
                    "its routes, applications and services, with relationships, mounts and variables", PartsShape))
async def parts_of(asked: Asked) -> web.Response:
    project, environment = asked.environment()
    found = await asked.queries.parts.of(project, environment)
    return one(found if may(asked.caller, Action.READ_VARIABLES, project) else without_settings(found))
