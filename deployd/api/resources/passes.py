"""Passes of operators."""

from __future__ import annotations

from aiohttp import web

from deployd.access.actions import Action
from deployd.api.answers import one
from deployd.api.asked import Asked
from deployd.api.route import ENVIRONMENT, ApiRoute, Resource
from deployd.commands.passes import PassShape

passes = Resource()


@passes.row(ApiRoute("POST", f"{ENVIRONMENT}/pass", Action.PREVIEW,
                     "links that show a new version while visitors wait for it", PassShape))
async def make_pass(asked: Asked) -> web.Response:
    return one(await asked.commands.passes.make(*asked.environment(), asked.who))
