"""The browsers that somebody has signed in with."""

from __future__ import annotations

from collections.abc import Mapping

from deployd.access.cookies import session_id
from deployd.console.asked import Asked


async def sessions(asked: Asked) -> str:
    return await asked.page(
        "sessions.html", sessions=asked.commands.sessions.of(asked.caller.name),
        own=session_id(asked.cookie) if asked.cookie else "",
    )


async def end_session(asked: Asked, fields: Mapping[str, str]) -> str:
    await asked.commands.sessions.end(fields.get("session", ""), asked.caller.name)
    return "/sessions"
