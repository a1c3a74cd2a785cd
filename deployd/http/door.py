"""What every request on `listen` passes first: is it a browser that was led here, and does somebody guess tokens?

One place for all routes, also for those that there are not: the API, the console, git and webhooks.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

import structlog
from aiohttp import web

from deployd.access.caller import Caller
from deployd.access.tokens import FindCaller
from deployd.http.errors import Handler, TooManyTries
from deployd.http.failed_sign_ins import FailedSignIns, source_of
from deployd.http.origins import Ours

log = structlog.get_logger()


def _nothing(_: web.Request) -> None:
    """Nobody wants to know."""


def _nobody(_: web.Request) -> None:
    """Browsers do not sign in here."""


@dataclass(frozen=True, slots=True)
class Door:
    """Who is let in at all; what they may is the routes' business."""

    ours: Ours = field(default_factory=Ours)
    failed_sign_ins: FailedSignIns = field(default_factory=FailedSignIns)
    let_in: Callable[[web.Request], None] = _nothing
    """Told of each request whose token is right, or whose browser has signed in."""

    def guard(
        self, find: FindCaller, by_session: Callable[[web.Request], Caller | None] = _nobody,
    ) -> Callable[[web.Request, Handler], object]:
        """A middleware.

        It raises Misdirected, Forbidden (see `origins.py`), or TooManyTries.
        """
        @web.middleware
        async def pass_door(request: web.Request, handler: Handler) -> web.StreamResponse:
            self.ours.refuse_others(request.method, request.headers)
            authorization = request.headers.get("Authorization")
            if authorization:
                self.bound_guesses(request, find(authorization))
            elif by_session(request) is not None:
                self.let_in(request)
            return await handler(request)

        return pass_door

    def bound_guesses(self, request: web.Request, caller: Caller | None) -> None:
        """Count a token that was shown.

        Raises:
            TooManyTries: Too many wrong ones came from this address.
        """
        source = source_of(request.remote, request.headers.get("X-Forwarded-For", ""))
        pause = self.failed_sign_ins.pause_seconds(source, caller.name if caller else None)
        if pause > 0:   # right or wrong: who guesses must not learn it
            self.failed_sign_ins.not_looked_at()
            raise TooManyTries(
                "too many wrong tokens came from your address: no further one is looked at for now",
                again_seconds=pause, hint="wait as long as Retry-After says, and use a token that is right",
            )
        if caller is None:
            if self.failed_sign_ins.failed(source):
                log.warning("sign_in_failed", path=request.path[:200], source=source)
        else:
            self.failed_sign_ins.was_right(source, caller.name)
            self.let_in(request)
