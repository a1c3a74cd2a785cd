"""The gate before the daemon. While it reads its settings again requests wait there, and none is refused.

    open ──► reload: closed ──► quick ones end, others go on ──► settings read ──► open: what waited goes on

What outlasts a reload needs nothing of what is closed and made anew: who follows a log, and git's transfers. A handler
says so itself (`request[OUTLASTS_RELOAD] = True`), from when on it does.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

from aiohttp import web

from deployd.http.outlasts_reload import OUTLASTS_RELOAD

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]
LOOK_SECONDS = 0.02


class RequestGate:
    """One for each socket."""

    def __init__(self) -> None:
        self._handler: Handler | None = None
        self._opened = asyncio.Event()
        self._under_way: dict[asyncio.Task[Any], web.Request] = {}

    async def handle(self, request: web.Request) -> web.StreamResponse:
        while self._handler is None:   # it may be closed again before who waited comes to run
            await self._opened.wait()
        task = asyncio.current_task()
        assert task is not None, "a request is handled by a task"
        self._under_way[task] = request   # requests themselves are no keys
        try:
            return await self._handler(request)
        finally:
            del self._under_way[task]

    def open(self, handler: Handler, may_go_on: Callable[[web.Request], bool]) -> None:
        """Let requests through.

        Args:
            handler: Of the daemon as it is now.
            may_go_on: Asked of each that is left from before: a token may have been taken away.
        """
        for request in self._outlasting():
            if not may_go_on(request) and request.transport is not None:
                request.transport.abort()
        self._handler = handler
        self._opened.set()

    async def close(self, limit_seconds: float) -> None:
        """Let requests wait from now on, and all end that do not outlast it; they are ended when the time is over."""
        self._handler = None
        self._opened.clear()
        try:
            async with asyncio.timeout(limit_seconds):
                while self._ending():   # noqa: ASYNC110  a request may outlast the reload from now on, without a word
                    await asyncio.sleep(LOOK_SECONDS)
        except TimeoutError:
            for task in self._ending():
                task.cancel()

    def _ending(self) -> list[asyncio.Task[Any]]:
        return [task for task, request in self._under_way.items() if OUTLASTS_RELOAD not in request]

    def _outlasting(self) -> list[web.Request]:
        return [request for request in self._under_way.values() if OUTLASTS_RELOAD in request]
