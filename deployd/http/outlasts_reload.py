"""Requests that last: they need nothing of what a daemon closes when it reads its settings again, so they go on.

Who follows a log reads a file, and git's transfers are pipes to a program.
"""

from __future__ import annotations

from aiohttp import web

OUTLASTS_RELOAD: web.RequestKey[bool] = web.RequestKey("lasting", bool)
"""Set by a handler, from when on its request is one."""
