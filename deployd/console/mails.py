"""The page with the mails of an environment, for those who may read them."""

from __future__ import annotations

from deployd.access.actions import Action, refuse_unless_may
from deployd.console.asked import Asked
from deployd.console.render import rendered

MOST_MAILS = 200


async def mails(asked: Asked) -> str:
    refuse_unless_may(asked.caller, Action.READ_MAIL)
    found = await asked.environment()
    shown = (await asked.queries.mails.all(found.project, found.name))[:MOST_MAILS]
    return await rendered("mail.html", caller=asked.caller, environment=found, mails=shown)
