"""SSH as people reach it."""

from __future__ import annotations

from aiohttp import web

from deployd.access.actions import Action
from deployd.api.answers import one
from deployd.api.asked import Asked
from deployd.api.route import ApiRoute, Resource
from deployd.queries.ssh import SshShape

ssh = Resource()


@ssh.row(ApiRoute("GET", "/api/v1/ssh", Action.SEE, "where SSH is, and by which key one recognises it", SshShape))
async def show_ssh(asked: Asked) -> web.Response:
    return one(await asked.queries.ssh.now(whole=asked.caller.is_everywhere))
