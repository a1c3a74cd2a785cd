"""What changes, for programs that stay connected."""

from __future__ import annotations

from aiohttp import web

from deployd.access.actions import Action
from deployd.api.asked import Asked
from deployd.api.changes import ChangeShape
from deployd.api.route import ApiRoute, Resource

changes = Resource()


@changes.row(ApiRoute("GET", "/api/v1/events", Action.SEE, "activities and environments, as they change", ChangeShape,
                      events=True, query=("project",)))
async def follow_changes(asked: Asked) -> web.StreamResponse:
    wanted = asked.projects()
    found = asked.api.changes.follow(
        lambda project: asked.caller.may_see(project) and (wanted is None or project in wanted), asked.last_event_id,
    )
    return await asked.tell(found)
