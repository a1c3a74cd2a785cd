"""Errors as HTTP tells them: which status, which headers, and that no secret is in them."""

from __future__ import annotations

import math
import secrets
from collections.abc import Awaitable, Callable
from typing import ClassVar

import structlog
from aiohttp import web

from deployd.access.concurrency import TooMany
from deployd.access.errors import Forbidden, NotFound, Unauthorized
from deployd.activity.incidents import Incident
from deployd.commands.repeats import KeyReused
from deployd.engine.errors import EngineOverran, EngineUnreachable
from deployd.errors import DeployError, Unusable
from deployd.reading.bounds import OfferUnusable, ReadersAbsent, TooManyReadings
from deployd.router.control import RouterAbsent, RouterUnanswered
from deployd.state.store import StateUnreadable, StateUnwritable

log = structlog.get_logger()

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]
MASK: web.AppKey[Callable[[str], str]] = web.AppKey("mask")
"""Takes secrets out of what an error says: its evidence is what a program wrote."""


class TooLarge(DeployError):
    """A body has too many bytes."""

    code: ClassVar[str] = "too-large"


class Misdirected(DeployError):
    """A browser asks by a name that is not known to be this daemon's."""

    code: ClassVar[str] = "misdirected"


class TooManyTries(DeployError):
    """Wrong tokens came from this address; the next one is looked at later."""

    code: ClassVar[str] = "too-many-tries"

    def __init__(self, what: str, *, again_seconds: float, hint: str = "") -> None:
        super().__init__(what, hint=hint)
        self.again_seconds = again_seconds


STATUS = {
    NotFound: 404, Forbidden: 403, Unauthorized: 401, Unusable: 400, OfferUnusable: 400, TooLarge: 413,
    Misdirected: 421, TooManyTries: 429, TooManyReadings: 429, TooMany: 429, KeyReused: 422, Incident: 500,
}
OUTSIDE = (EngineUnreachable, EngineOverran, RouterAbsent, RouterUnanswered, ReadersAbsent, StateUnreadable,
           StateUnwritable)
"""Not the caller's fault: 503, it may go well later."""
UNAVAILABLE = 503
REFUSED = 409


def status_of(error: DeployError) -> int:
    if isinstance(error, OUTSIDE):
        return UNAVAILABLE
    return next((STATUS[kind] for kind in type(error).__mro__ if kind in STATUS), REFUSED)


def headers_of(error: DeployError) -> dict[str, str]:
    """What belongs to an error besides its status, however its text is told."""
    if isinstance(error, TooManyTries):
        return {"Retry-After": str(math.ceil(error.again_seconds))}
    return {"WWW-Authenticate": 'Basic realm="deployd"'} if isinstance(error, Unauthorized) else {}


async def with_errors_told(
    request: web.Request, handler: Handler, tell: Callable[[DeployError], web.Response],
) -> web.StreamResponse:
    """What the handler answers, or its error as `tell` tells it.

    A bug gets a name that is in the operator's log too.
    """
    try:
        return await handler(request)
    except DeployError as error:
        _mask(error, request.config_dict.get(MASK, str))
        return tell(error)
    except (web.HTTPException, ConnectionError):
        raise
    except Exception as error:
        name = secrets.token_hex(2).upper()
        log.error("incident", incident=name, path=request.path, exc_info=error)
        return tell(Incident(
            f"an error of deployd itself (incident {name})", where=request.path,
            hint="tell the operator the incident's name; the daemon's log has the rest",
        ))


def _mask(error: DeployError, mask: Callable[[str], str]) -> None:
    error.what, error.where, error.hint = mask(error.what), mask(error.where), mask(error.hint)
    error.evidence = tuple(mask(line) for line in error.evidence)
