"""Visitors of every kind at a steady rate, through deployments; and what must not happen to them.

    kept      GET on connections that are used again     uploads    POST whose body takes a second to come
    fresh     GET on a connection each                   streams    GET over HTTP/2, ten on a connection (curl)
    heads     HEAD, and GET with a query                 sockets    lines over an upgraded connection, echoed
    posts     POST with a body                           feeds      server-sent events
    ranges    a download, part by part                   pipelined  four requests written at once
    cached    GET of what the router keeps               leavers    they leave in the middle, and are counted apart

What is wrong: an answer that is not the right one; one of a version that is older than one that was seen before the
request was begun (the switch is one step for everybody, or it is not one); a POST that reached the earlier version
after the deploy hook had begun (it should have been held); a POST that arrived twice or not at all; a line that was not
echoed, an event that is missing, a part of another file; something open that was closed without a switch or before its
time.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager

import aiohttp

from tests.support.mixed import downloads, feeds, ids, leavers, multiplexed, pipeline, plain, sockets, uploads
from tests.support.mixed.count import Count
from tests.support.mixed.visit import PAUSE_SECONDS, Visit

Kind = Callable[[Visit], Awaitable[None]]
KINDS: tuple[tuple[Kind, int], ...] = (
    (plain.kept, 4), (plain.fresh, 3), (plain.heads, 1), (plain.cached, 2), (plain.posts, 3), (uploads.uploads, 1),
    (multiplexed.streams, 1), (sockets.sockets, 2), (feeds.feeds, 2), (downloads.ranges, 2), (pipeline.pipelined, 1),
    (leavers.leave_in_the_answer, 1), (leavers.leave_in_the_body, 1), (leavers.leave_before_the_answer, 2),
)
"""(what a visitor does again and again, how many do it at once)"""
LIMIT_SECONDS = 90.0


@asynccontextmanager
async def visiting(host: str, http_port: int, https_port: int, drain_seconds: float) -> AsyncIterator[Count]:
    """They come from the beginning to the end of this; then the count is complete."""
    timeout = aiohttp.ClientTimeout(total=LIMIT_SECONDS)
    async with aiohttp.ClientSession(timeout=timeout) as session:
        visit = Visit(host, http_port, https_port, drain_seconds, session)
        async with asyncio.TaskGroup() as group:
            for kind, at_once in KINDS:
                for _ in range(at_once):
                    group.create_task(_repeat(kind, visit), name=kind.__name__)
            try:
                yield visit.count
            finally:
                visit.over.set()
        await _compare_ids(visit)


async def _repeat(kind: Kind, visit: Visit) -> None:
    while not visit.over.is_set():
        try:
            async with asyncio.timeout(LIMIT_SECONDS):
                await kind(visit)
        except (aiohttp.ClientError, OSError, TimeoutError, EOFError, AssertionError) as error:
            what = f"{kind.__name__}: {type(error).__name__}: {error}"
            visit.count.errors.append(f"{time.strftime('%H:%M:%S')} {what}")
        await asyncio.sleep(PAUSE_SECONDS)


async def _compare_ids(visit: Visit) -> None:
    async with visit.session.get(visit.url("/ids"), headers={"Host": visit.host}) as answer:
        assert answer.status == 200, answer.status
        lines = (await answer.text()).splitlines()
    ids.compare(lines, visit.sent, visit.broken, visit.given_up, visit.count)
