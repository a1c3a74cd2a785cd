"""Mails of applications."""

from __future__ import annotations

from aiohttp import web

from deployd.access.actions import Action
from deployd.api.answers import many
from deployd.api.asked import Asked, number_of
from deployd.api.route import ENVIRONMENT, ApiRoute, Resource
from deployd.queries.mails import MailShape

mails = Resource()

MESSAGE = "message/rfc822"


@mails.row(ApiRoute("GET", f"{ENVIRONMENT}/mail", Action.READ_MAIL,
                    "mails of its applications that lie here, newest first", MailShape, many=True))
async def list_mails(asked: Asked) -> web.Response:
    return many(await asked.queries.mails.all(*asked.environment()))


@mails.row(ApiRoute("GET", f"{ENVIRONMENT}/mail/{{id}}", Action.READ_MAIL, "one of them, byte for byte", str,
                    text=MESSAGE))
async def show_message(asked: Asked) -> web.Response:
    project, environment = asked.environment()
    number = number_of(asked.request.match_info["id"], "the mail's number")
    message = await asked.queries.mails.message(project, environment, number)
    return web.Response(body=message, headers={   # no browser shows what a stranger wrote as a page of ours
        "Content-Type": MESSAGE, "Content-Disposition": f'attachment; filename="{number}.eml"',
        "X-Content-Type-Options": "nosniff",
    })
