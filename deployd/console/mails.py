"""The page with the mails of an environment, for those who may read them."""

from __future__ import annotations

from deployd.access.actions import Action
from deployd.console.asked import Asked

MOST_MAILS = 200


async def mails(asked: Asked) -> str:
    asked.refuse_unless_may(Action.READ_MAIL)
    found = await asked.environment()
    shown = (await asked.queries.mails.all(found.project, found.name))[:MOST_MAILS]
    return await asked.page("mail.html", environment=found, mails=shown)
