"""What somebody may do, by a token that is signed with the hub's key (JWT, HS256). Pure but for the time."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import time
from dataclasses import dataclass

LONGEST = 8192


class Refused(Exception):
    """The token proves nothing."""


@dataclass(frozen=True)
class Rights:
    publish: list[str] | None = None
    """Selectors; None: he may publish nothing, []: what is public."""
    subscribe: list[str] | None = None


def rights_of(token: str, key: bytes) -> Rights:
    """
    Raises:
        Refused: It is none, is not signed with this key, or its time is not now.
    """
    parts = token.split(".")
    if len(token) > LONGEST or len(parts) != 3 or not key:
        raise Refused("no token")
    head, body, signature = parts
    if _json(head).get("alg") != "HS256":
        raise Refused("another algorithm")
    wanted = hmac.new(key, f"{head}.{body}".encode(), hashlib.sha256).digest()
    if not hmac.compare_digest(wanted, _bytes(signature)):
        raise Refused("another key")
    claims, now = _json(body), time.time()
    if not _number(claims.get("exp"), now + 1) > now or _number(claims.get("nbf"), now) > now:
        raise Refused("not valid now")
    mercure = claims.get("mercure")
    mercure = mercure if isinstance(mercure, dict) else {}
    return Rights(_selectors(mercure.get("publish")), _selectors(mercure.get("subscribe")))


def _selectors(value: object) -> list[str] | None:
    if not isinstance(value, list):
        return None
    return [item for item in value if isinstance(item, str)]


def _number(value: object, otherwise: float) -> float:
    if value is None:
        return otherwise
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise Refused("a time that is none")
    return float(value)


def _json(part: str) -> dict[str, object]:
    try:
        found = json.loads(_bytes(part))
    except (ValueError, RecursionError):
        raise Refused("no JSON") from None
    if not isinstance(found, dict):
        raise Refused("no mapping")
    return found


def _bytes(part: str) -> bytes:
    try:
        return base64.b64decode(part + "=" * (-len(part) % 4), altchars=b"-_", validate=True)
    except ValueError:
        raise Refused("no base64") from None
