"""Locks of environments."""

from __future__ import annotations

from typing import Annotated

from aiohttp import web
from pydantic import AwareDatetime, Field

from deployd.access.actions import Action
from deployd.api.answers import one
from deployd.api.asked import Asked
from deployd.api.bodies import Body, read_body
from deployd.api.route import ENVIRONMENT, ApiRoute, Resource
from deployd.commands.locks import LockedShape

locks = Resource()

MOST_OF_A_REASON = 500
"""Characters."""


class LockBody(Body):
    """Why nothing new goes live until somebody unlocks."""

    reason: Annotated[str, Field(max_length=MOST_OF_A_REASON)] = ""
    until: Annotated[AwareDatetime, Field(strict=False)] | None = None
    """When it ends by itself, with its offset; without it somebody has to end it."""


@locks.row(ApiRoute("POST", f"{ENVIRONMENT}/lock", Action.LOCK, "keep what is live: pushes are built, and wait",
                    LockedShape, body=LockBody))
async def lock(asked: Asked) -> web.Response:
    project, environment = asked.environment()
    body = await read_body(asked.request, LockBody)
    return one(await asked.commands.locks.lock(project, environment, body.reason, asked.who, until=body.until))


@locks.row(ApiRoute("POST", f"{ENVIRONMENT}/unlock", Action.LOCK, "let the pushes go live that were held",
                    LockedShape))
async def unlock(asked: Asked) -> web.Response:
    return one(await asked.commands.locks.unlock(*asked.environment(), asked.who))
