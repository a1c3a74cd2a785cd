"""Who is calling over HTTP: by a token in a header, as programs do, or by the cookie of a browser that signed in."""

from __future__ import annotations

from dataclasses import dataclass

from aiohttp import web

from deployd.access.caller import Caller
from deployd.access.cookies import cookie_of, is_csrf_word
from deployd.access.errors import Forbidden
from deployd.access.tokens import FindCaller
from deployd.commands.sessions import Sessions

CSRF_HEADER = "X-CSRF-Token"


@dataclass(frozen=True, slots=True)
class Callers:
    by_header: FindCaller
    sessions: Sessions | None = None
    """None: nobody can sign in here."""

    def of(self, request: web.Request) -> Caller | None:
        """A header counts first: whoever sends one means it, also when it is wrong."""
        authorization = request.headers.get("Authorization")
        if authorization is not None or self.sessions is None:
            return self.by_header(authorization)
        return self.sessions.caller(cookie_of(request.cookies))

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
        cookie = "" if authorization else cookie_of(request.cookies)
        if cookie and not is_csrf_word(cookie, request.headers.get(CSRF_HEADER, "")):
            raise Forbidden(
                "a browser's session is good for reading only here", where=CSRF_HEADER,
                hint="send a token as `Authorization: Bearer …`, or use the forms of the console",
            )
