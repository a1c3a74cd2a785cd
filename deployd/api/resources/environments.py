"""Environments: what is live in each, and was; deploy it once more, go back, or end it."""

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
from deployd.queries.forecasts import ForecastShape, forecast_kind
from deployd.queries.versions import VersionShape

environments = Resource()


Seen = Annotated[int, Field(ge=0, le=LARGEST_NUMBER)] | None


class SeenBody(Body):
    """What is known of the environment by whoever asks."""

    seen: Seen = None
    """Its newest activity, 0 for none: when there is a newer one, this is refused."""


class PushAgainBody(Body):
    """Which push."""

    push: Annotated[int, Field(ge=1, le=LARGEST_NUMBER)]
    """The number of its activity, which has ended; its commit is the branch's newest."""
    seen: Seen = None
    """As in `SeenBody`."""


class RollbackBody(Body):
    """To which version; without a number to the one before the live one."""

    to: Annotated[int, Field(ge=1, le=LARGEST_NUMBER)] | None = None
    seen: Seen = None
    """As in `SeenBody`."""
    lock: bool | None = None
    """Whether pushes wait from now on until somebody unlocks; without it production is locked and others are not."""


@environments.row(ApiRoute("GET", "/api/v1/environments", Action.SEE, "environments, of one project or of all",
                           EnvironmentShape, many=True, query=("project",)))
async def list_environments(asked: Asked) -> web.Response:
    found = await asked.queries.environments.all(asked.query.get("project"))
    return many([item for item in found if asked.caller.may_see(item.project)])


@environments.row(ApiRoute("POST", f"{ENVIRONMENT}/redeploy", Action.DEPLOY, "deploy what is live once more",
                           ActivityShape, body=SeenBody, status=ACCEPTED))
async def redeploy(asked: Asked) -> web.Response:
    project, environment = asked.environment()
    body = await read_body(asked.request, SeenBody)
    return one(await asked.commands.environments.redeploy(project, environment, asked.who, seen=body.seen), ACCEPTED)


@environments.row(ApiRoute("POST", f"{ENVIRONMENT}/rollback", Action.DEPLOY,
                           "go back to the version before the live one, or to that of an activity", ActivityShape,
                           body=RollbackBody, status=ACCEPTED))
async def rollback(asked: Asked) -> web.Response:
    project, environment = asked.environment()
    body = await read_body(asked.request, RollbackBody)
    made = await asked.commands.environments.rollback(
        project, environment, body.to, asked.who, lock=body.lock, seen=body.seen,
    )
    return one(made, ACCEPTED)


@environments.row(ApiRoute("POST", f"{ENVIRONMENT}/push-again", Action.DEPLOY,
                           "deploy the commit of a push that has ended once more", ActivityShape, body=PushAgainBody,
                           status=ACCEPTED))
async def push_again(asked: Asked) -> web.Response:
    project, environment = asked.environment()
    body = await read_body(asked.request, PushAgainBody)
    made = await asked.commands.environments.push_again(project, environment, body.push, asked.who, seen=body.seen)
    return one(made, ACCEPTED)


@environments.row(ApiRoute("DELETE", ENVIRONMENT, Action.DELETE, "end it, as a deleted branch does", ActivityShape,
                           body=SeenBody, status=ACCEPTED))
async def delete(asked: Asked) -> web.Response:
    project, environment = asked.environment()
    body = await read_body(asked.request, SeenBody)
    return one(await asked.commands.environments.delete(project, environment, asked.who, seen=body.seen), ACCEPTED)


@environments.row(ApiRoute("GET", f"{ENVIRONMENT}/versions", Action.SEE, "what was live there, newest first",
                           VersionShape, many=True))
async def list_versions(asked: Asked) -> web.Response:
    return many(await asked.queries.versions.all(*asked.environment()))


@environments.row(ApiRoute("GET", f"{ENVIRONMENT}/forecast", Action.SEE,
                           "what a redeploy, a push once more, a rollback or its end would do", ForecastShape,
                           query=("kind", "to")))
async def forecast(asked: Asked) -> web.Response:
    project, environment = asked.environment()
    kind = forecast_kind(asked.query.get("kind", "redeploy"))
    to = asked.number("to", 0) or None
    return one(await asked.queries.forecasts.of(kind, project, environment, to))
