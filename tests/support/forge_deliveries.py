"""Deliveries exactly as GitHub and GitLab send them: headers, body, signature."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from urllib.parse import urlencode

from multidict import CIMultiDict

A, B, C = "a" * 40, "b" * 40, "c" * 40
ZERO = "0" * 40
SIGNING_TOKEN = "whsec_" + base64.b64encode(bytes(range(32))).decode()


@dataclass(frozen=True)
class Delivery:
    headers: CIMultiDict[str]
    body: bytes

    def with_headers(self, **changed: str | None) -> Delivery:
        """Names with `_` for `-`; None removes."""
        headers = CIMultiDict(self.headers)
        for name, value in changed.items():
            headers.pop(name.replace("_", "-"), None)
            if value is not None:
                headers[name.replace("_", "-")] = value
        return Delivery(headers, self.body)


def github_push(
    *, branch: str = "main", ref: str | None = None, before: str = A, after: str = B, forced: bool = False,
    repository: str = "acme/shop",
) -> dict[str, Any]:
    deleted = set(after) == {"0"}
    return {
        "ref": ref or f"refs/heads/{branch}", "before": before, "after": after, "created": set(before) == {"0"},
        "deleted": deleted, "forced": forced, "base_ref": None,
        "compare": f"https://github.com/{repository}/compare/{before[:12]}...{after[:12]}",
        "head_commit": None if deleted else {"id": after, "message": "A change", "author": {"name": "Ada"}},
        "commits": [], "pusher": {"name": "ada", "email": "ada@example.com"}, "sender": {"login": "ada", "id": 1},
        "repository": {"id": 186853002, "name": repository.split("/")[1], "full_name": repository,
                       "clone_url": f"https://github.com/{repository}.git", "default_branch": "main"},
    }


def github(
    payload: Any, *, secret: str = "s3cret", event: str = "push",
    delivery: str = "72d3162e-cc78-11e3-81ab-4c9367dc0958", form: bool = False,
) -> Delivery:
    body = urlencode({"payload": json.dumps(payload)}).encode() if form else json.dumps(payload).encode()
    return Delivery(CIMultiDict({
        "Accept": "*/*", "User-Agent": "GitHub-Hookshot/044aadd",
        "Content-Type": "application/x-www-form-urlencoded" if form else "application/json",
        "X-GitHub-Delivery": delivery, "X-GitHub-Event": event, "X-GitHub-Hook-ID": "292430182",
        "X-GitHub-Hook-Installation-Target-ID": "186853002", "X-GitHub-Hook-Installation-Target-Type": "repository",
        "X-Hub-Signature": "sha1=" + hmac.new(secret.encode(), body, hashlib.sha1).hexdigest(),
        "X-Hub-Signature-256": "sha256=" + hmac.new(secret.encode(), body, hashlib.sha256).hexdigest(),
    }), body)


def gitlab_push(
    *, branch: str = "main", before: str = A, after: str = B, repository: str = "acme/shop",
) -> dict[str, Any]:
    return {
        "object_kind": "push", "event_name": "push", "before": before, "after": after, "ref": f"refs/heads/{branch}",
        "ref_protected": True, "checkout_sha": None if set(after) == {"0"} else after, "message": None,
        "user_id": 4, "user_name": "Ada Lovelace", "user_username": "ada", "user_email": "", "project_id": 15,
        "project": {"id": 15, "name": "Shop", "path_with_namespace": repository, "default_branch": "main",
                    "git_http_url": f"https://gitlab.com/{repository}.git"},
        "commits": [], "total_commits_count": 0, "push_options": {},
    }


def gitlab(
    payload: Any, *, token: str | None = "s3cret", signing: str | None = None, now: datetime | None = None,
    event: str = "Push Hook", delivery: str | None = "f5e5f430-f57b-4e6e-9fac-d9128cd7232f",
) -> Delivery:
    """
    Args:
        signing: Key of the signed form; needs `now`.
        delivery: None for a server that is older than 17.4.
    """
    body = json.dumps(payload).encode()
    headers = CIMultiDict({
        "Content-Type": "application/json", "User-Agent": "GitLab/18.1.0", "X-Gitlab-Event": event,
        "X-Gitlab-Webhook-UUID": "13792a34-cac6-4fda-95a8-c58e00a3954e", "X-Gitlab-Instance": "https://gitlab.com",
        "X-Gitlab-Event-UUID": "02f9c2b3-1ff6-4e68-9d7c-0a1b2c3d4e5f",
    })
    if delivery is not None:
        headers["Idempotency-Key"] = delivery
    if token is not None:
        headers["X-Gitlab-Token"] = token
    if signing is not None and now is not None:
        stamp = str(int(now.timestamp()))
        key = base64.b64decode(signing.removeprefix("whsec_"))
        made = hmac.new(key, f"{delivery}.{stamp}.".encode() + body, hashlib.sha256).digest()
        headers["webhook-id"], headers["webhook-timestamp"] = delivery or "", stamp
        headers["webhook-signature"] = "v1," + base64.b64encode(made).decode()
    return Delivery(headers, body)
