"""Webhooks of GitHub: is it genuine, and what does it say. Pure: bytes in, value out.

The signature has no time in it, so a replay is told by its delivery id only. GitHub sends nothing a second time by
itself: what is refused here is lost until somebody presses "Redeliver".
"""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any
from urllib.parse import parse_qs

from deployd.forges.forge import Forge, Headers, Ignored, Ping, Said, Unreadable
from deployd.forges.github_telling import API
from deployd.forges.payload import Lacking, read_json, read_push, text, text_or_empty

SIGNATURE = "X-Hub-Signature-256"
HINTS = {
    "create": "the push event says the same",
    "delete": "the push event says the same",
    "pull_request": "pull requests have no environment of their own yet; the branch of one has",
    "deployment": "deployd makes these itself",
    "deployment_status": "deployd makes these itself",
}


def has_proof(headers: Headers) -> bool:
    """Whether there is a signature at all; without one the body need not be read."""
    return headers.get(SIGNATURE, "").startswith("sha256=")


def is_genuine(secrets: Sequence[str], headers: Headers, body: bytes, now: datetime) -> bool:
    """Whether one of the secrets signed exactly these bytes. All of them are compared, in constant time.

    Args:
        now: Not used: the signature holds no time.
    """
    given = headers.get(SIGNATURE, "").encode("utf-8", "surrogateescape")
    genuine = False
    for secret in secrets:
        made = "sha256=" + hmac.new(secret.encode(), body, hashlib.sha256).hexdigest()
        genuine |= hmac.compare_digest(made.encode(), given)
    return genuine


def read(headers: Headers, body: bytes) -> Said:
    """What a genuine delivery says."""
    event = headers.get("X-GitHub-Event", "")
    try:
        payload = _payload(headers, body)
        if event == "ping":
            return Ping(text_or_empty(payload, "zen") or "pong")
        if event != "push":
            return Ignored(HINTS.get(event, f"the event {event or '(none)'} starts nothing"))
        return read_push(
            payload, repository=text(payload, "repository.full_name"),
            who=text_or_empty(payload, "sender.login") or text_or_empty(payload, "pusher.name"),
            delivery=headers.get("X-GitHub-Delivery", ""), forced=payload.get("forced") is True,
        )
    except Lacking as error:
        return Unreadable(str(error))


def _payload(headers: Headers, body: bytes) -> Mapping[str, Any]:
    if not headers.get("Content-Type", "").startswith("application/x-www-form-urlencoded"):
        return read_json(body)
    try:
        fields = parse_qs(body.decode("utf-8", "replace"), max_num_fields=10)
    except ValueError:
        raise Lacking("the form has too many fields") from None
    if "payload" not in fields:
        raise Lacking("the form has no field payload")
    return read_json(fields["payload"][0].encode())


GITHUB = Forge("github", has_proof, is_genuine, read, API)
