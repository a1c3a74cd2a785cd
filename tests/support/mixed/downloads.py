"""A download that is gone on with part by part (`Range`), as browsers do after a broken connection.

`If-Range` says of which file the parts are. After a switch it is another one, and the answer must be all of that: never
a part of a new file behind parts of an old one.
"""

from __future__ import annotations

import asyncio

from tests.support.mixed.server import FILE_BYTES, file_of
from tests.support.mixed.visit import PAUSE_SECONDS, Visit

PART_BYTES = FILE_BYTES // 8


async def ranges(visit: Visit) -> None:
    tag, found = "", b""
    while len(found) < FILE_BYTES:
        tag, found = await _part(visit, tag, found)
        await asyncio.sleep(PAUSE_SECONDS)
    assert found == file_of(tag.strip('"')), f"parts that are not of version {tag}"


async def _part(visit: Visit, tag: str, found: bytes) -> tuple[str, bytes]:
    """The tag and the bytes that there are with the next part."""
    begun = visit.begin("ranges")
    end = len(found) + PART_BYTES - 1
    headers = {"Host": visit.host, "Range": f"bytes={len(found)}-{end}", **({"If-Range": tag} if tag else {})}
    async with visit.session.get(visit.url("/file"), headers=headers) as answer:
        body, now = await answer.read(), answer.headers["ETag"]
    visit.end(begun, int(now.strip('"')))
    if answer.status == 200:
        assert (tag not in ("", now), len(body)) == (True, FILE_BYTES), f"all of {now} instead of a part of {tag}"
        visit.count.restarted += 1
        return now, body
    assert answer.status == 206, f"{answer.status} {body[:80]!r}"
    assert answer.headers["Content-Range"] == f"bytes {len(found)}-{end}/{FILE_BYTES}", answer.headers
    assert tag in ("", now), f"a part of {now} behind parts of {tag}"
    return now, found + body
