"""Operations of applications: commands of their files that people run on demand."""

from __future__ import annotations

from typing import Annotated

from aiohttp import web
from pydantic import Field

from deployd.access.actions import Action
from deployd.api.answers import many, one
from deployd.api.asked import Asked
from deployd.api.bodies import Body, read_body
from deployd.api.route import ACCEPTED, ENVIRONMENT, ApiRoute, Resource
from deployd.queries.activities import ActivityShape
from deployd.queries.operations import OperationShape

operations = Resource()

LONGEST_NAME = 500


class RunOperationBody(Body):
    """Which operation."""

    operation: Annotated[str, Field(max_length=LONGEST_NAME)]
    app: Annotated[str, Field(max_length=LONGEST_NAME)] | None = None
    """Whose; may be left out when only one has it."""


@operations.row(ApiRoute("GET", f"{ENVIRONMENT}/operations", Action.SEE, "operations of what is live",
                         OperationShape, many=True))
async def list_operations(asked: Asked) -> web.Response:
    return many(await asked.queries.operations.all(*asked.environment()))


@operations.row(ApiRoute("POST", f"{ENVIRONMENT}/operations/run", Action.RUN_OPERATION,
                         "run an operation in its application's container", ActivityShape, body=RunOperationBody,
                         status=ACCEPTED))
async def run_operation(asked: Asked) -> web.Response:
    project, environment = asked.environment()
    body = await read_body(asked.request, RunOperationBody)
    return one(await asked.commands.operations.run(
        project, environment, body.operation, body.app, asked.who, asked.caller.role_in(project),
    ), ACCEPTED)
