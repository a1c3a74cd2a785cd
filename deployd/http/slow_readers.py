"""Answers to those who read slowly, or not at all: what is made for somebody is kept only so long for them.

One bound for pages, for what is downloaded and for whoever follows something: who was cut off and still wants it comes
again, with the place that they had come to.
"""

from __future__ import annotations

import asyncio
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress

from aiohttp import web

MOST_SECONDS = 60.0
"""That somebody may take to read a page, or a piece of what is longer."""
SEND_BYTES = 65_536
"""That the kernel keeps of what somebody follows; it keeps twice as much."""


@asynccontextmanager
async def in_time(request: web.Request) -> AsyncIterator[None]:
    """A connection on which writing takes longer than `MOST_SECONDS` is cut.

    Raises:
        ConnectionError: It was, or the browser has gone.
    """
    try:
        async with asyncio.timeout(MOST_SECONDS):
            yield
    except TimeoutError:
        if request.transport is not None:
            request.transport.abort()
        raise ConnectionResetError("the reader was too slow") from None


def keep_little(request: web.Request) -> None:
    """Of an answer that goes on: else the kernel takes up to three megabytes for somebody who reads none of it."""
    connection = request.transport.get_extra_info("socket") if request.transport is not None else None
    if connection is not None:
        with suppress(OSError):
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, SEND_BYTES)


async def send(request: web.Request, response: web.StreamResponse) -> web.StreamResponse:
    """Send an answer whole, here and not when everybody has forgotten it.

    Raises:
        ConnectionError: The browser has gone, or is too slow.
    """
    async with in_time(request):
        await response.prepare(request)
        await response.write_eof()
    return response
