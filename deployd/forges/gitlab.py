"""Webhooks of GitLab: is it genuine, and what does it say. Pure: bytes in, value out.

Two proofs exist, and either is enough, so that a hook can be changed from one to the other without losing a push:
the plain secret in `X-Gitlab-Token`, and the signing token (`whsec_…`) in the form of Standard Webhooks.
GitLab switches a hook off that is answered 4xx or 5xx again and again: what can be read is always answered 2xx.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
from collections.abc import Sequence
from datetime import datetime

from deployd.forges.forge import Forge, Headers, Ignored, Said, Unreadable
from deployd.forges.gitlab_telling import API
from deployd.forges.payload import Lacking, read_json, read_push, text, text_or_empty

TOKEN = "X-Gitlab-Token"
SIGNATURE = "webhook-signature"
SIGNING_TOKEN = "whsec_"
TOLERANCE_SECONDS = 300   # between the sender's clock and ours: Standard Webhooks
MOST_SIGNATURES = 10


def has_proof(headers: Headers) -> bool:
    """Whether there is a token or a signature at all; without one the body need not be read."""
    return bool(headers.get(TOKEN) or headers.get(SIGNATURE))


def is_genuine(secrets: Sequence[str], headers: Headers, body: bytes, now: datetime) -> bool:
    """Whether a secret was sent, or a signing token signed these bytes within the last minutes."""
    genuine = False
    for secret in secrets:
        if secret.startswith(SIGNING_TOKEN):
            genuine |= _signed_by(secret, headers, body, now)
        else:
            given = headers.get(TOKEN, "").encode("utf-8", "surrogateescape")
            genuine |= hmac.compare_digest(secret.encode(), given)
    return genuine


def _signed_by(secret: str, headers: Headers, body: bytes, now: datetime) -> bool:
    delivery, sent = headers.get("webhook-id", ""), headers.get("webhook-timestamp", "")
    if not sent.isascii() or not sent.isdigit() or abs(now.timestamp() - int(sent[:12])) > TOLERANCE_SECONDS:
        return False
    try:
        key = base64.b64decode(secret.removeprefix(SIGNING_TOKEN), validate=True)
    except binascii.Error:
        return False
    signed = f"{delivery}.{sent}.".encode("utf-8", "surrogateescape") + body
    made = base64.b64encode(hmac.new(key, signed, hashlib.sha256).digest())
    genuine = False
    for signature in headers.get(SIGNATURE, "").split()[:MOST_SIGNATURES]:
        version, _, given = signature.partition(",")
        genuine |= version == "v1" and hmac.compare_digest(made, given.encode("utf-8", "surrogateescape"))
    return genuine


def read(headers: Headers, body: bytes) -> Said:
    """What a genuine delivery says. A push by the button "Test" looks real; its tip is what is live already."""
    try:
        payload = read_json(body)
        # A system hook names the kind only in `event_name`; a project's hook has both.
        kind = text_or_empty(payload, "object_kind") or text_or_empty(payload, "event_name")
        if kind == "merge_request":
            return Ignored("merge requests have no environment of their own yet; the branch of one has")
        if kind == "tag_push":
            return Ignored("tags are not deployed")
        if kind != "push":
            return Ignored(f"the event {kind or headers.get('X-Gitlab-Event', '(none)')} starts nothing")
        return read_push(
            payload, repository=text(payload, "project.path_with_namespace"),
            who=text_or_empty(payload, "user_username") or text_or_empty(payload, "user_name"),
            delivery=_delivery(headers, body),
        )
    except Lacking as error:
        return Unreadable(str(error))


def _delivery(headers: Headers, body: bytes) -> str:
    """What is the same when the same push is sent again, and different for every other one.

    An event's UUID alone is shared by the hooks that an event sets off, so the body is added. Servers so old that they
    send neither get no id: the body alone would be the same when a branch is forced from A to B, back, and to B again.
    """
    key = headers.get("Idempotency-Key") or headers.get("webhook-id")
    if key:
        return key
    event = headers.get("X-Gitlab-Event-UUID")
    return f"{event}-{hashlib.sha256(body).hexdigest()[:16]}" if event else ""


GITLAB = Forge("gitlab", has_proof, is_genuine, read, API)
