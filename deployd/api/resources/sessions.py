"""Browsers that are signed in with one's token."""

from __future__ import annotations

from dataclasses import dataclass

from aiohttp import web

from deployd.access.actions import Action
from deployd.access.errors import Forbidden
from deployd.access.roles import Role
from deployd.api.answers import many, one
from deployd.api.asked import Asked
from deployd.api.route import ApiRoute, Resource
from deployd.state.sessions import Session

sessions = Resource()

PATH = "/api/v1/sessions"


@dataclass(frozen=True, slots=True, kw_only=True)
class SessionShape:
    """A browser that is signed in."""

    id: str
    token: str
    """Whose it is: the person, or the token of the settings."""
    began: str
    seen: str
    """When it was used last, to five minutes."""
    ends: str
    address: str
    """From where it was signed in."""
    agent: str
    """As the browser called itself."""


@sessions.row(ApiRoute("GET", PATH, Action.SEE, "browsers that are signed in with one's token", SessionShape, many=True,
                       query=("token",)))
async def list_sessions(asked: Asked) -> web.Response:
    whose = _whose(asked)
    return many([_shape(session, whose) for session in asked.commands.sessions.of(whose)])


@sessions.row(ApiRoute("POST", f"{PATH}/{{id}}/end", Action.SEE, "sign a browser out", SessionShape, query=("token",)))
async def end_session(asked: Asked) -> web.Response:
    whose = _whose(asked)
    return one(_shape(await asked.commands.sessions.end(asked.request.match_info["id"], whose), whose))


def _whose(asked: Asked) -> str:
    """Whose sessions: one's own, or for those who may do everything those of another.

    Raises:
        Forbidden: The caller may not look at another's.
    """
    token = asked.query.get("token", asked.who)
    if token != asked.who and asked.caller.role_on_host() is not Role.ADMIN:
        raise Forbidden("sessions of others are for admins of every project")
    return token


def _shape(session: Session, whose: str) -> SessionShape:
    return SessionShape(
        id=session.id, token=whose, began=session.began.isoformat(), seen=session.seen.isoformat(),
        ends=session.ends.isoformat(), address=session.address, agent=session.agent,
    )
