"""Comparisons of two versions."""

from __future__ import annotations

from aiohttp import web

from deployd.access.actions import Action
from deployd.api.answers import one
from deployd.api.asked import Asked
from deployd.api.route import ApiRoute, Resource
from deployd.queries.comparisons import ComparisonShape

comparisons = Resource()


@comparisons.row(ApiRoute("GET", "/api/v1/compare", Action.SEE, "how two versions differ", ComparisonShape,
                          query=("a", "b", "files")))
async def compare(asked: Asked) -> web.Response:
    return one(await asked.queries.comparisons.of(
        asked.query.get("a", ""), asked.query.get("b", ""), asked.caller.may_see, with_files=asked.is_set("files"),
    ))
