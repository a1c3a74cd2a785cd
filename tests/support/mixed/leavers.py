"""Clients that leave in the middle. They are counted apart: nobody waits for their answers, but nothing is done twice.

    in the answer      a download is broken off
    in the body        a POST never is whole: it must not be done
    before the answer  a POST is whole, its client leaves and asks again, as people do who lose patience: the first one
                       is done once or not at all. When the second one was held, the first one was held too or came
                       before the freeze, so the version that answers must not have done it: its client had left.
                       It was held when its answer took long and came from a newer version than any before: on a busy
                       machine much takes long
"""

from __future__ import annotations

import asyncio
import random
import time

from tests.support.mixed.plain import POST_BYTES
from tests.support.mixed.visit import HELD_SECONDS, Visit

PATIENCE_SECONDS = 0.03
"""At most: shorter than the pause between two, so that many of them begin in a freeze."""


async def leave_in_the_answer(visit: Visit) -> None:
    async with visit.connection() as (reader, writer):
        writer.write(visit.head("GET", "/file"))
        assert (await reader.readline()).startswith(b"HTTP/1.1 200")
        await reader.read(1000)
    visit.count.left += 1


async def leave_in_the_body(visit: Visit) -> None:
    name = visit.new_id()
    visit.broken.add(name)
    async with visit.connection() as (_, writer):
        writer.write(_post(visit, name) + b"x" * (POST_BYTES // 2))
        await writer.drain()
        await asyncio.sleep(PATIENCE_SECONDS)
    visit.count.left += 1


async def leave_before_the_answer(visit: Visit) -> None:
    name, again, newest = visit.new_id(), visit.new_id(), visit.newest
    visit.given_up[name] = None
    async with visit.connection() as (_, writer):
        writer.write(_post(visit, name) + b"x" * POST_BYTES)
        await writer.drain()
        await asyncio.sleep(random.uniform(0, PATIENCE_SECONDS))
    visit.count.left += 1
    visit.sent.add(again)
    began = time.monotonic()
    version = await visit.ask("posts", "POST", "/post", {"X-Id": again}, data=b"x" * POST_BYTES)
    if time.monotonic() - began > HELD_SECONDS and version > newest:
        visit.given_up[name] = version
        visit.count.forgotten += 1


def _post(visit: Visit, name: str) -> bytes:
    return visit.head("POST", "/post", f"X-Id: {name}", f"Content-Length: {POST_BYTES}")
