"""A POST whose body takes a second to come: it may begin before a freeze and end in it."""

from __future__ import annotations

import asyncio
import json
from dataclasses import replace

from tests.support.mixed.visit import Visit

PIECES, PIECE_BYTES = 10, 2048


async def uploads(visit: Visit) -> None:
    name = visit.new_id()
    visit.sent.add(name)
    begun = visit.begin("uploads")
    async with visit.connection() as (reader, writer):
        size = PIECES * PIECE_BYTES
        writer.write(visit.head("POST", "/slow", f"X-Id: {name}", "Connection: close", f"Content-Length: {size}"))
        for _piece in range(PIECES):
            writer.write(b"y" * PIECE_BYTES)
            await writer.drain()
            await asyncio.sleep(0.1)
        head, _, body = (await reader.read()).partition(b"\r\n\r\n")
    assert head.startswith(b"HTTP/1.1 200"), head[:80]
    found = json.loads(body)
    assert found["size"] == size, found
    visit.end(replace(begun, newest=0), int(found["version"]))   # it may have reached the earlier version before
