"""Which requests outlast a reload: they need nothing of what is closed when the settings are read again.

Who follows a log reads a file, and git's transfers are pipes to a program.
"""

from __future__ import annotations

from aiohttp import web

OUTLASTS_RELOAD: web.RequestKey[bool] = web.RequestKey("outlasts_reload", bool)
"""Set by a handler, from when on its request does."""
