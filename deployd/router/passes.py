"""Operators' passes: a signed link with which a person sees a new version while visitors wait for it.

The link is good for ten minutes. The router (config/router/lua/deployd/pass.lua) makes a cookie of it that is good for
four hours, for this host and this environment only. The key lies in the run folder, so no pass outlives a reboot.
"""

from __future__ import annotations

import hashlib
import hmac
import os
from datetime import datetime, timedelta
from pathlib import Path

LINK_LIFETIME = timedelta(minutes=10)
KEY_BYTES = 32
PATH = "/.well-known/deployd/pass"


def pass_link(key: bytes, environment: str, url: str, now: datetime) -> str:
    """The link for one host. Pure.

    Args:
        environment: `<project>/<environment>`.
        url: Of a route on that host.
    """
    ends = int((now + LINK_LIFETIME).timestamp())
    signed = hmac.new(key, f"link\n{environment}\n{ends}".encode(), hashlib.sha256).hexdigest()
    scheme, _, rest = url.partition("://")
    return f"{scheme}://{rest.partition('/')[0]}{PATH}?{ends}.{signed}"


def ensure_pass_key(file: Path) -> None:
    """Have a key; one that is there and whole is kept."""
    if file.exists() and file.stat().st_size == KEY_BYTES:
        return
    new = file.with_suffix(".new")
    new.touch(mode=0o600)
    new.write_bytes(os.urandom(KEY_BYTES))
    new.rename(file)
