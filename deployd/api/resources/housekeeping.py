"""Housekeeping, for those who may see every project."""

from __future__ import annotations

from aiohttp import web

from deployd.access.actions import Action
from deployd.api.answers import one
from deployd.api.asked import Asked
from deployd.api.bodies import Body, read_body
from deployd.api.route import ApiRoute, Resource
from deployd.queries.housekeeping import CollectShape

housekeeping = Resource()

PATH = "/api/v1/collect"


class CollectBody(Body):
    """What a round of housekeeping takes besides."""

    deleted: bool = False
    """Also the data of deleted environments whose time of grace is not over."""


@housekeeping.row(ApiRoute("GET", PATH, Action.COLLECT, "what housekeeping would take away now", CollectShape,
                           query=("deleted",)))
async def show_collectable(asked: Asked) -> web.Response:
    return one(await asked.queries.housekeeping.collectable(deleted=asked.is_set("deleted")))


@housekeeping.row(ApiRoute("POST", PATH, Action.COLLECT, "take away now what nobody needs any more", CollectShape,
                           body=CollectBody))
async def collect(asked: Asked) -> web.Response:
    body = await read_body(asked.request, CollectBody)
    return one(await asked.commands.housekeeping.collect(asked.who, deleted=body.deleted))
