"""Who changed what, and whether the log of it is whole."""

from __future__ import annotations

from aiohttp import web

from deployd.access.actions import Action, may_in
from deployd.access.errors import Forbidden
from deployd.api.answers import one, page
from deployd.api.asked import Asked
from deployd.api.route import ApiRoute, Resource
from deployd.queries.audit import AuditCheckShape, DeedShape

audit = Resource()


@audit.row(ApiRoute("GET", "/api/v1/audit", Action.READ_AUDIT, "who changed what, newest first", DeedShape, many=True,
                    cursor=True, query=("project",)))
async def list_deeds(asked: Asked) -> web.Response:
    before, limit = asked.cursor()
    found = await asked.queries.audit.newest(asked.projects(), before=before, limit=limit + 1)
    return page(asked.request, found, limit, lambda deed: deed.number)


@audit.row(ApiRoute("GET", "/api/v1/audit/check", Action.READ_AUDIT,
                    "whether nobody altered the log or took something out of it", AuditCheckShape))
async def check_audit(asked: Asked) -> web.Response:
    if may_in(asked.caller, Action.READ_AUDIT) is not None:
        raise Forbidden("the whole log is for those who may see every project", hint="use a token for `*`")
    return one(await asked.queries.audit.check())
