"""Certificates of hosts."""

from __future__ import annotations

from aiohttp import web

from deployd.access.actions import Action
from deployd.api.answers import many
from deployd.api.asked import Asked
from deployd.api.route import ApiRoute, Resource
from deployd.queries.certificates import CertificateShape

certificates = Resource()


@certificates.row(ApiRoute("GET", "/api/v1/certificates", Action.SEE,
                           "what each host shows over TLS, and what stands in the way", CertificateShape, many=True,
                           query=("project",)))
async def list_certificates(asked: Asked) -> web.Response:
    project = asked.query.get("project")
    found = [item for item in asked.queries.certificates.all() if project in (None, item.project)]
    return many([item for item in found if asked.caller.may_see(item.project)])
