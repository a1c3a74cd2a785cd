"""Environments that go to rest and come back, and what people say of them."""

from __future__ import annotations

from typing import Annotated

from aiohttp import web
from pydantic import Field

from deployd.access.actions import Action, refuse_unless_may
from deployd.api.answers import one
from deployd.api.asked import Asked
from deployd.api.bodies import Body, read_body
from deployd.api.resources.environments import SeenBody
from deployd.api.route import ACCEPTED, ENVIRONMENT, ApiRoute, Resource
from deployd.commands.descriptions import MOST_OF_A_TITLE
from deployd.queries.activities import ActivityShape
from deployd.queries.environments import EnvironmentShape

rests = Resource()

LONGEST_BRANCH = 200


class DescriptionBody(Body):
    """What people say of an environment; what is left out stays."""

    title: Annotated[str, Field(max_length=MOST_OF_A_TITLE)] | None = None
    """Empty: it has none any more."""
    parent: Annotated[str, Field(max_length=LONGEST_BRANCH)] | None = None
    """Branch or machine name of another environment; empty: production, as before somebody said one."""


@rests.row(ApiRoute("POST", f"{ENVIRONMENT}/activate", Action.ACTIVATE,
                    "deploy a branch that is inactive or stored; its pushes are deployed from then on", ActivityShape,
                    body=SeenBody, status=ACCEPTED))
async def activate(asked: Asked) -> web.Response:
    project, environment = asked.environment()
    body = await read_body(asked.request, SeenBody)
    return one(await asked.commands.rests.activate(project, environment, asked.who, seen=body.seen), ACCEPTED)


@rests.row(ApiRoute("POST", f"{ENVIRONMENT}/deactivate", Action.ACTIVATE,
                    "let its containers go and keep its data; its pushes are only stored from then on", ActivityShape,
                    body=SeenBody, status=ACCEPTED))
async def deactivate(asked: Asked) -> web.Response:
    project, environment = asked.environment()
    body = await read_body(asked.request, SeenBody)
    return one(await asked.commands.rests.deactivate(project, environment, asked.who, seen=body.seen), ACCEPTED)


@rests.row(ApiRoute("POST", f"{ENVIRONMENT}/pause", Action.ACTIVATE,
                    "stop what runs; the next visitor wakes it", ActivityShape, body=SeenBody, status=ACCEPTED))
async def pause(asked: Asked) -> web.Response:
    project, environment = asked.environment()
    body = await read_body(asked.request, SeenBody)
    return one(await asked.commands.rests.pause(project, environment, asked.who, seen=body.seen), ACCEPTED)


@rests.row(ApiRoute("POST", f"{ENVIRONMENT}/wake", Action.ACTIVATE, "start what a paused environment had",
                    ActivityShape, body=SeenBody, status=ACCEPTED))
async def wake(asked: Asked) -> web.Response:
    project, environment = asked.environment()
    body = await read_body(asked.request, SeenBody)
    return one(await asked.commands.rests.wake(project, environment, asked.who, seen=body.seen), ACCEPTED)


@rests.row(ApiRoute("POST", f"{ENVIRONMENT}/describe", Action.ACTIVATE, "give it a title, or another parent",
                    EnvironmentShape, body=DescriptionBody))
async def describe(asked: Asked) -> web.Response:
    project, environment = asked.environment()
    body = await read_body(asked.request, DescriptionBody)
    if body.parent is not None:   # whose child it is decides which variables it sees
        least = await asked.commands.variables.least(project, environment)
        refuse_unless_may(asked.caller, least, project)
    return one(await asked.commands.descriptions.describe(
        project, environment, title=body.title, parent=body.parent,
    ))
