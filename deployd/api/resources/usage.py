"""Usage of applications, workers and services."""

from __future__ import annotations

from aiohttp import web

from deployd.access.actions import Action, refuse_unless_sees
from deployd.api.answers import many
from deployd.api.asked import Asked
from deployd.api.route import ApiRoute, Resource
from deployd.errors import Unusable
from deployd.queries.usage import UseShape

usage = Resource()


@usage.row(ApiRoute("GET", "/api/v1/usage", Action.SEE, "what applications, workers and services use now", UseShape,
                    many=True, query=("project", "environment")))
async def show_usage(asked: Asked) -> web.Response:
    project, environment = asked.query.get("project"), asked.query.get("environment")
    if project is not None:
        refuse_unless_sees(asked.caller, project)
    elif environment is not None:
        raise Unusable("an environment is one of a project", hint="name the `project` too")
    found = await asked.queries.usage.now(project, environment)
    return many([item for item in found if asked.caller.may_see(item.project)])
