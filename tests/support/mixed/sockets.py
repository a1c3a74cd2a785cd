"""Lines over an upgraded connection, echoed. It stays on its version, and is opened again when it is closed."""

from __future__ import annotations

import asyncio

from tests.support.mixed.visit import PAUSE_SECONDS, Visit


async def sockets(visit: Visit) -> None:
    """Until it is closed. A line that was sent must come back, or nothing."""
    begun = visit.begin("sockets")
    async with visit.connection() as (reader, writer):
        writer.write(visit.head("GET", "/echo", "Connection: Upgrade", "Upgrade: websocket"))
        head = await reader.readuntil(b"\r\n\r\n")
        assert head.startswith(b"HTTP/1.1 101"), head[:80]
        version = int(await reader.readline())
        visit.end(begun, version)
        number = 0
        while not visit.over.is_set():
            number += 1
            sent = f"line {number}\n".encode()
            writer.write(sent)
            try:
                back = await reader.readline()
            except ConnectionResetError:   # it was closed while our line was under way
                back = b""
            if not back:
                visit.closed("sockets", version)
                return
            assert back == sent, (sent, back)
            visit.count.requests["lines"] += 1
            await asyncio.sleep(PAUSE_SECONDS)
