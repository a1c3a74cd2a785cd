"""Projects that the caller may see."""

from __future__ import annotations

from aiohttp import web

from deployd.access.actions import Action
from deployd.api.answers import many
from deployd.api.asked import Asked
from deployd.api.route import ApiRoute, Resource
from deployd.queries.projects import ProjectShape

projects = Resource()


@projects.row(ApiRoute("GET", "/api/v1/projects", Action.SEE, "projects that the caller may see", ProjectShape,
                       many=True))
async def list_projects(asked: Asked) -> web.Response:
    return many([item for item in await asked.queries.projects.all() if asked.caller.may_see(item.id)])
