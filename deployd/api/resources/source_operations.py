"""Source operations: commands that change the code of a branch."""

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
from deployd.queries.source_operations import SourceOperationShape

source_operations = Resource()

LONGEST_NAME = 500


class RunSourceOperationBody(Body):
    """Which source operation."""

    operation: Annotated[str, Field(max_length=LONGEST_NAME)]


@source_operations.row(ApiRoute("GET", f"{ENVIRONMENT}/source-operations", Action.SEE,
                                "source operations of a branch", SourceOperationShape, many=True))
async def list_source_operations(asked: Asked) -> web.Response:
    return many(await asked.queries.source_operations.all(*asked.environment()))


@source_operations.row(ApiRoute("POST", f"{ENVIRONMENT}/source-operations/run", Action.RUN_SOURCE_OPERATION,
                                "run a source operation, and push what it commits", ActivityShape,
                                body=RunSourceOperationBody, status=ACCEPTED))
async def run_source_operation(asked: Asked) -> web.Response:
    project, environment = asked.environment()
    body = await read_body(asked.request, RunSourceOperationBody)
    made = await asked.commands.source_operations.run(project, environment, body.operation, asked.who)
    return one(made, ACCEPTED)
