"""Crons of environments."""

from __future__ import annotations

from typing import Annotated

from aiohttp import web
from pydantic import Field

from deployd.access.actions import Action
from deployd.api.answers import many, one
from deployd.api.asked import Asked
from deployd.api.bodies import Body, read_body
from deployd.api.route import ACCEPTED, ENVIRONMENT, ApiRoute, Resource
from deployd.commands.crons import CronWantedShape
from deployd.queries.crons import CronRunShape, CronShape

crons = Resource()

LONGEST_NAME = 500
DEFAULT_RUNS, MOST_RUNS = 20, 200


class RunCronBody(Body):
    """Which cron."""

    app: Annotated[str, Field(max_length=LONGEST_NAME)] = ""
    cron: Annotated[str, Field(max_length=LONGEST_NAME)] = ""


@crons.row(ApiRoute("GET", f"{ENVIRONMENT}/crons", Action.SEE, "crons of what is live", CronShape, many=True))
async def list_crons(asked: Asked) -> web.Response:
    return many(await asked.queries.crons.all(*asked.environment()))


@crons.row(ApiRoute("GET", f"{ENVIRONMENT}/crons/runs", Action.SEE, "the last runs of a cron, newest first",
                    CronRunShape, many=True, query=("app", "cron", "limit")))
async def list_runs(asked: Asked) -> web.Response:
    project, environment = asked.environment()
    limit = min(asked.number("limit", DEFAULT_RUNS), MOST_RUNS)
    app, cron = asked.query.get("app", ""), asked.query.get("cron", "")
    return many(await asked.queries.crons.runs(project, environment, app, cron, limit))


@crons.row(ApiRoute("POST", f"{ENVIRONMENT}/crons/run", Action.RUN_CRON, "run a cron as soon as it may",
                    CronWantedShape, body=RunCronBody, status=ACCEPTED))
async def run_cron(asked: Asked) -> web.Response:
    project, environment = asked.environment()
    body = await read_body(asked.request, RunCronBody)
    return one(await asked.commands.crons.run(project, environment, body.app, body.cron, asked.who), ACCEPTED)
