"""Who is calling: a token in `Authorization`, as the password of Basic or as Bearer."""

from __future__ import annotations

import base64
import binascii
import hmac
from collections.abc import Callable, Sequence

from deployd.access.caller import Caller, roles_of
from deployd.settings import Settings, Token

FindCaller = Callable[[str | None], Caller | None]
"""The caller of an Authorization header; None: nobody who is known."""


def find_token(tokens: Sequence[Token], authorization: str | None) -> Token | None:
    """The token of an Authorization header; None when there is none or it is not known."""
    return find_secret(tokens, secret_of(authorization or ""))


def find_secret(tokens: Sequence[Token], secret: str) -> Token | None:
    """The token that has this secret; None: there is none.

    Every token is compared, in constant time: how long it takes tells nothing about which one was nearly right.
    """
    if not secret:
        return None
    found = None
    for token in tokens:
        if hmac.compare_digest(token.secret.get_secret_value().encode(), secret.encode("utf-8", "surrogateescape")):
            found = token
    return found


def secret_of(authorization: str) -> str:
    """What an Authorization header brings, as Bearer or as the password of Basic; empty when nothing."""
    scheme, _, rest = authorization.partition(" ")
    if scheme.lower() == "bearer":
        return rest.strip()
    if scheme.lower() != "basic":
        return ""
    try:
        _, _, password = base64.b64decode(rest, validate=True).decode().partition(":")
    except (binascii.Error, UnicodeDecodeError):
        return ""
    return password


def find_caller(settings: Settings, authorization: str | None) -> Caller | None:
    """Whose token a request brings; None: nobody's."""
    token = find_token(settings.tokens, authorization)
    return caller_of(token) if token else None


def caller_of(token: Token) -> Caller:
    return Caller(token.name, roles_of(token.role, token.projects))
