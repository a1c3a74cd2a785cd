"""Who is calling over HTTP: by a token in a header, as programs do, or by the cookie of a browser that signed in."""

from __future__ import annotations

import asyncio
from contextlib import aclosing
from dataclasses import dataclass, field

from aiohttp import web

from deployd.access.caller import Caller
from deployd.access.cookies import cookie_of, is_csrf_word
from deployd.access.errors import Forbidden
from deployd.access.tokens import FindCaller
from deployd.commands.sessions import Sessions
from deployd.http.event_stream import Events
from deployd.http.origins import Ours

CSRF_HEADER = "X-CSRF-Token"
KNOWN_SECONDS = 0.5
"""Who follows something is looked up no more often: there may be hundreds, and each line comes to all of them."""


@dataclass(frozen=True, slots=True)
class Callers:
    by_header: FindCaller
    sessions: Sessions | None = None
    """None: nobody can sign in here."""
    ours: Ours = field(default_factory=Ours)

    def is_secure(self, request: web.Request) -> bool:
        """Whether the browser came over TLS; a proxy before us may have taken that off."""
        return request.secure or self.ours.came_by_tls(request.headers)

    def cookie(self, request: web.Request) -> str:
        """The cookie of a session, empty when there is none.

        Over TLS only the one that nobody else can set: any host below the same domain, an application's as well, may
        set the other, and have somebody work in a session that is not theirs.
        """
        return cookie_of(request.cookies, only_secure=self.is_secure(request))

    def of(self, request: web.Request, *, is_use: bool = True) -> Caller | None:
        """A header counts first: whoever sends one means it, also when it is wrong."""
        authorization = request.headers.get("Authorization")
        if authorization is not None or self.sessions is None:
            return self.by_header(authorization)
        return self.sessions.caller(self.cookie(request), is_use=is_use)

    def by_session(self, request: web.Request) -> Caller | None:
        """Who signed in with the browser that asks; a header does not count, nor is it a use of the session."""
        return self.sessions.caller(self.cookie(request), is_use=False) if self.sessions is not None else None

    async def while_known(self, request: web.Request, events: Events) -> Events:
        """Events for as long as whoever asked is known: a session that was ended ends what its pages are told, after
        `KNOWN_SECONDS` at most when there is much to tell."""
        caller, loop = self.of(request), asyncio.get_running_loop()
        looked = loop.time()
        async with aclosing(events) as found:
            async for event in found:
                if loop.time() - looked >= KNOWN_SECONDS:
                    looked = loop.time()
                    if self.of(request, is_use=False) != caller:
                        return
                yield event

    def refuse_remembered(self, request: web.Request) -> None:
        """What a browser sends along by itself is good for reading; a page of ours has a word that proves it is ours.

        Raises:
            Forbidden: The token came as a password of Basic, or the cookie came without the word.
        """
        authorization = request.headers.get("Authorization", "")
        if authorization.lower().startswith("basic "):
            raise Forbidden(
                "a token that is sent as a password (Basic) is good for reading only",
                hint="send it as `Authorization: Bearer …`",
            )
        cookie = "" if authorization else self.cookie(request)
        if cookie and not is_csrf_word(cookie, request.headers.get(CSRF_HEADER, "")):
            raise Forbidden(
                "a browser's session is good for reading only here", where=CSRF_HEADER,
                hint="send a token as `Authorization: Bearer …`, or use the forms of the console",
            )
