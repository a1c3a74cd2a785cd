"""Requests that are written at once on one connection: all are answered, in their order, whatever happens between."""

from __future__ import annotations

import asyncio
import json
import re

from tests.support.mixed.plain import POST_BYTES
from tests.support.mixed.visit import Visit

LENGTH = re.compile(rb"\r\ncontent-length: *([0-9]+)", re.IGNORECASE)


async def pipelined(visit: Visit) -> None:
    name = visit.new_id()
    visit.sent.add(name)
    asked = (("GET", "/first"), ("HEAD", "/second"), ("POST", "/third"), ("GET", "/fourth"))
    begun = visit.begin("pipelined", times=len(asked))
    async with visit.connection() as (reader, writer):
        for method, path in asked:
            body = b"z" * POST_BYTES if method == "POST" else b""
            lines = (f"Content-Length: {len(body)}", f"X-Id: {name}") if body else ()
            writer.write(visit.head(method, path, *lines) + body)
        newest = 0
        for method, path in asked:
            found = await _answer(reader, method)
            if method != "HEAD":
                assert found["path"] == path, (found, path)
                version = int(found["version"])
                assert version >= newest, f"{path} was answered by {version} after {newest}"
                newest = version
                visit.end(begun, version)


async def _answer(reader: asyncio.StreamReader, method: str) -> dict[str, str]:
    head = await reader.readuntil(b"\r\n\r\n")
    assert head.startswith(b"HTTP/1.1 200"), head[:80]
    length = LENGTH.search(head)
    assert length, head
    return json.loads(await reader.readexactly(int(length[1]))) if method != "HEAD" else {}
