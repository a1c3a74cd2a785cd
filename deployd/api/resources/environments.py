"""Environments: what is live in each; deploy it once more, or go back."""

from __future__ import annotations

from typing import Annotated

from aiohttp import web
from pydantic import Field

from deployd.access.actions import Action
from deployd.api.answers import many, one
from deployd.api.asked import Asked
from deployd.api.bodies import LARGEST_NUMBER, Body, read_body
from deployd.api.route import ACCEPTED, ENVIRONMENT, ApiRoute, Resource
from deployd.queries.activities import ActivityShape
from deployd.queries.environments import EnvironmentShape

environments = Resource()


class RollbackBody(Body):
    """To which version; without a number to the one before the live one."""

    to: Annotated[int, Field(ge=1, le=LARGEST_NUMBER)] | None = None
    lock: bool | None = None
    """Whether pushes wait from now on until somebody unlocks; without it production is locked and others are not."""


@environments.row(ApiRoute("GET", "/api/v1/environments", Action.SEE, "environments, of one project or of all",
                           EnvironmentShape, many=True, query=("project",)))
async def list_environments(asked: Asked) -> web.Response:
    found = await asked.queries.environments.all(asked.query.get("project"))
    return many([item for item in found if asked.caller.may_see(item.project)])


@environments.row(ApiRoute("POST", f"{ENVIRONMENT}/redeploy", Action.DEPLOY, "deploy what is live once more",
                           ActivityShape, status=ACCEPTED))
async def redeploy(asked: Asked) -> web.Response:
    return one(await asked.commands.environments.redeploy(*asked.environment(), asked.who), ACCEPTED)


@environments.row(ApiRoute("POST", f"{ENVIRONMENT}/rollback", Action.DEPLOY,
                           "go back to the version before the live one, or to that of an activity", ActivityShape,
                           body=RollbackBody, status=ACCEPTED))
async def rollback(asked: Asked) -> web.Response:
    project, environment = asked.environment()
    body = await read_body(asked.request, RollbackBody)
    made = await asked.commands.environments.rollback(project, environment, body.to, asked.who, lock=body.lock)
    return one(made, ACCEPTED)
