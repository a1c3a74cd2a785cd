"""Plans of pushes."""

from __future__ import annotations

from aiohttp import web

from deployd.access.actions import Action
from deployd.api.answers import one
from deployd.api.asked import Asked
from deployd.api.bodies import read_bytes
from deployd.api.route import PROJECT, ApiRoute, Resource
from deployd.queries.plans import PlanShape
from deployd.reading.plan_body import PlanBody

plans = Resource()


@plans.row(ApiRoute("POST", f"{PROJECT}/plan", Action.PLAN, "what a push of a working tree would do", PlanShape,
                    body=PlanBody))
async def plan(asked: Asked) -> web.Response:
    project = asked.project()
    body = await read_bytes(asked.request, asked.api.bodies, asked.who)   # a reader in its own process looks at it
    return one(await asked.queries.plans.of_push(project, body))
