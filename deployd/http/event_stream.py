"""Server-sent events: what a page is told while it is open (HTML Living Standard, 9.2).

A browser whose connection broke comes back by itself and says the id of the last event that it got.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator
from contextlib import aclosing, suppress
from dataclasses import dataclass

from aiohttp import web

from deployd.http.slow_readers import in_time, keep_little

STILL_HERE = b": still here\n\n"
SILENCE_SECONDS = 15.0
"""A proxy between cuts a connection on which nothing comes for longer, mostly after a minute."""
AGAIN_MILLISECONDS = 1000
"""After which a browser comes back."""
EVENT_STREAM = "text/event-stream"
HEADERS = {
    "Content-Type": EVENT_STREAM, "Cache-Control": "no-store", "X-Accel-Buffering": "no",
    "X-Content-Type-Options": "nosniff",
}


@dataclass(frozen=True, slots=True)
class Event:
    name: str
    data: str
    """Text; line breaks are kept."""
    id: str = ""
    """From where a browser goes on; empty: it stays where it was."""

    def encoded(self) -> bytes:
        head = f"event: {self.name}\n" + (f"id: {self.id}\n" if self.id else "")
        body = "".join(f"data: {line}\n" for line in self.data.replace("\r\n", "\n").replace("\r", "\n").split("\n"))
        return f"{head}{body}\n".encode("utf-8", "replace")


Events = AsyncGenerator[Event | bytes | None, None]
"""Events; some of them as bytes, where there are many, or many who are told the same. None after a silence of
`SILENCE_SECONDS` at most: else nobody notices that the other side has gone."""


class Streams:
    """All that are open, so that they can be ended: browsers come back to whoever answers then."""

    def __init__(self) -> None:
        self._open: set[asyncio.Task[object]] = set()

    def end(self) -> None:
        for task in self._open:
            task.cancel()

    async def answer(self, request: web.Request, events: Events) -> web.StreamResponse:
        """Send events until there are no more, or the browser goes."""
        if request.method == "HEAD":   # what is written would be taken for the next answer
            await events.aclose()
            return web.Response(headers=HEADERS)
        task = asyncio.current_task()
        assert task is not None
        response = web.StreamResponse(headers=HEADERS)
        keep_little(request)
        await response.prepare(request)
        self._open.add(task)
        try:
            with suppress(ConnectionError):
                await response.write(f"retry: {AGAIN_MILLISECONDS}\n\n".encode())
                async with aclosing(events) as found:
                    async for event in found:
                        async with in_time(request):
                            await response.write(_encoded(event))
        finally:
            self._open.discard(task)
        return response


def _encoded(event: Event | bytes | None) -> bytes:
    if event is None:
        return STILL_HERE
    return event if isinstance(event, bytes) else event.encoded()


def wants_events(request: web.Request) -> bool:
    """Whether who asks follows by events, and not by lines."""
    kinds = request.headers.get("Accept", "").lower().split(",")
    return any(kind.partition(";")[0].strip() == EVENT_STREAM for kind in kinds)
