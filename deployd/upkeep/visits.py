"""What counts as a visit, by a line of the router's access log: that somebody came who wanted something. Pure.

Crawlers and monitors come for ever: an environment would never be paused for them. Whoever counts here also wakes one
(`config/router/lua/deployd/pure/wakers.lua` has the same rule).
"""

from __future__ import annotations

import json

SEES_ONLY = frozenset({"HEAD", "OPTIONS", "TRACE"})
CRAWLERS = ("bot", "crawl", "spider", "slurp", "archiver", "monitor", "uptime", "pingdom", "facebookexternalhit",
            "deployd health check")
LOOKED_AT = 300
"""Letters of a user agent."""
KEPT_OUT = frozenset({401, 403, 421, 429})
"""Statuses of who was not let in."""


def is_visit(status: int, text: bytes) -> bool:
    """
    Args:
        text: JSON of the whole request.
    """
    if status in KEPT_OUT:
        return False
    try:
        said = json.loads(text)
    except ValueError:
        return False
    if not isinstance(said, dict):
        return False
    method, path, agent = (str(said.get(name, "")) for name in ("method", "path", "user_agent"))
    if method in SEES_ONLY or path.partition("?")[0] == "/robots.txt":
        return False
    name = agent[:LOOKED_AT].lower()
    return not any(crawler in name for crawler in CRAWLERS)
