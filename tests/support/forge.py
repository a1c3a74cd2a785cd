"""A forge beside the daemon: a repository that deployd fetches from, and the webhooks that GitHub would send."""

from __future__ import annotations

import hashlib
import hmac
import json
import uuid
from typing import Any

from deployd.process import run
from tests.support.developer import Developer

SECRET = "the-secret-of-the-webhook"
"""Of the project `forge`, whose code is fetched from a repository beside the daemon's directory."""

NOTHING = "0" * 40


async def push_to_forge(me: Developer, text: str) -> str:
    """What a developer does with a forge that deployd knows nothing of."""
    commit = await me.write({"text": text})
    await send_to_forge(me)
    return commit


async def send_to_forge(me: Developer) -> None:
    remote = me.daemon.directory / "forge.git"
    if not remote.exists():
        await run("git", "init", "--quiet", "--bare", "--initial-branch=main", str(remote))
    await run("git", "push", "--quiet", "--force", str(remote), "HEAD:refs/heads/main", cwd=me.folder)


async def deliver(
    me: Developer, commit: str, *, ref: str = "refs/heads/main", event: str = "push", secret: str = SECRET,
    delivery: str = "", project: str = "forge",
) -> tuple[int, dict[str, Any]]:
    """What GitHub sends."""
    body = json.dumps({
        "ref": ref, "before": NOTHING, "after": commit, "deleted": commit == NOTHING, "created": True, "forced": False,
        "repository": {"id": 1, "full_name": "me/forge", "clone_url": "https://github.com/me/forge.git"},
        "pusher": {"name": "me"}, "sender": {"login": "me"}, "head_commit": None, "commits": [], "zen": "Keep it.",
    }).encode()
    signature = hmac.new(secret.encode(), body, hashlib.sha256).hexdigest()
    headers = {
        "X-GitHub-Event": event, "X-GitHub-Delivery": delivery or str(uuid.uuid4()), "Content-Type": "application/json",
        "X-Hub-Signature-256": f"sha256={signature}", "User-Agent": "GitHub-Hookshot/044aadd",
    }
    url = f"/hooks/github/{project}"
    async with me.daemon.session() as session, session.post(url, data=body, headers=headers) as answer:
        return answer.status, await answer.json()
