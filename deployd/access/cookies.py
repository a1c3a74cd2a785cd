"""The cookie of somebody who signed in with a browser, and what is derived from it. Pure.

    cookie ──SHA-256──► the session's name in the database
       │
       ├──HMAC with the token's secret──► its proof: a token that was changed or taken away ends its sessions
       └──HMAC──► the word that every form of a page carries (CSRF)

A database that was read by a stranger gives no cookie and no word, nor a way to try guesses of a token.
"""

from __future__ import annotations

import hashlib
import hmac
import re
import secrets
from collections.abc import Mapping

COOKIE, SECURE_COOKIE = "deployd", "__Host-deployd"
"""The latter behind TLS: a browser takes it from this very host alone, and never from a page without TLS."""
COOKIE_BYTES = 32
FORM = re.compile(r"[A-Za-z0-9_-]{43}")
CSRF_BYTES = 32
CSRF_FORM = re.compile(r"[0-9a-f]{128}")


def make_cookie() -> str:
    """256 random bits, 43 characters."""
    return secrets.token_urlsafe(COOKIE_BYTES)


def cookie_of(cookies: Mapping[str, str], *, only_secure: bool = False) -> str:
    """The one that a browser sent; empty when there is none, or something that is none of ours."""
    found = cookies.get(SECURE_COOKIE) or (not only_secure and cookies.get(COOKIE)) or ""
    return found if FORM.fullmatch(found) else ""


def session_id(cookie: str) -> str:
    """Its name in the database and in lists, 64 hexadecimal digits."""
    return hashlib.sha256(f"session {cookie}".encode()).hexdigest()


def proof_of(cookie: str, secret: str) -> str:
    """That the cookie was given for this secret of a token."""
    return _hmac(cookie, f"proof {secret}")


def csrf_word(cookie: str) -> str:
    """What a form of this session carries: a page of another site cannot know it.

    Another one each time, and each is good: pages are sent compressed, and have in them what an address says. Of a word
    that stood in all of them one could find out letter by letter, by the length of pages, whether a guess is right.
    """
    mask = secrets.token_bytes(CSRF_BYTES)
    return (mask + _masked(mask, cookie)).hex()


def is_csrf_word(cookie: str, word: str) -> bool:
    if not (cookie and CSRF_FORM.fullmatch(word)):
        return False
    given = bytes.fromhex(word)
    mask, masked = given[:CSRF_BYTES], given[CSRF_BYTES:]
    return hmac.compare_digest(masked, _masked(mask, cookie))


def _masked(mask: bytes, cookie: str) -> bytes:
    """The session's own word, which is never shown."""
    own = bytes.fromhex(_hmac(cookie, "csrf"))
    return bytes(one ^ other for one, other in zip(mask, own, strict=True))


def _hmac(key: str, text: str) -> str:
    return hmac.new(key.encode(), text.encode("utf-8", "surrogateescape"), hashlib.sha256).hexdigest()
