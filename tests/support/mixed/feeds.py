"""Server-sent events. A stream stays on its version to the last event, and is opened again when it is closed."""

from __future__ import annotations

import json
from contextlib import suppress

import aiohttp

from tests.support.mixed.visit import Visit


async def feeds(visit: Visit) -> None:
    """Until it is closed: events are numbered, so that a gap would be seen."""
    begun = visit.begin("feeds")
    headers = {"Host": visit.host, "Accept": "text/event-stream"}
    async with visit.session.get(visit.url("/events"), headers=headers) as answer:
        assert (answer.status, answer.content_type) == (200, "text/event-stream"), answer
        version, number = 0, 0
        with suppress(aiohttp.ClientPayloadError):   # it was closed before its last chunk, as streams are
            async for line in answer.content:
                if not line.startswith(b"data: ") or not line.endswith(b"\n"):
                    continue
                event = json.loads(line.removeprefix(b"data: "))
                if not number:
                    version = int(event["version"])
                    visit.end(begun, version)
                number += 1
                assert event == {"version": str(version), "number": number}, (event, version, number)
                visit.count.requests["events"] += 1
                if visit.over.is_set():
                    return
        visit.closed("feeds", version)
