"""Readers of the console, as many as are asked for: a program of its own, so that its work is not the bench's.

    python -m tests.bench.console_readers < plan.json > found.json

Each follower is a connection on which a browser's `EventSource` would ask. A line of a hook says when it was written
(`at=`, seconds since the epoch, by the same clock as ours); how long it took to come is counted when it was written
after the follower was let in. Numbers of lines have to follow each other: a gap or a line twice is counted too.
"""

from __future__ import annotations

import asyncio
import json
import re
import sys
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import uvloop

from tests.bench.console_wire import Address, Poller, p, reader_of_nothing, request_text

STAMP = re.compile(rb"at=(\d+\.\d+)")
LINE_ID = re.compile(rb"^id: (\d+)$", re.MULTILINE)


@dataclass
class Seen:
    """What all followers saw."""

    seconds: list[float] = field(default_factory=list)
    lines: int = 0
    gaps: int = 0
    ended: int = 0
    received: int = 0
    """Bytes."""


class Follower(asyncio.Protocol):
    """A page that is open."""

    def __init__(self, seen: Seen, request: bytes) -> None:
        self._seen = seen
        self._request = request
        self._rest = b""
        self._last = 0
        self._began = float("inf")
        self.over = asyncio.get_running_loop().create_future()
        self._transport: asyncio.BaseTransport | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = transport
        transport.write(self._request)   # type: ignore[attr-defined]

    def data_received(self, data: bytes) -> None:
        now = time.time()
        self._seen.received += len(data)
        if self._began == float("inf"):
            assert data.startswith(b"HTTP/1.1 200"), data[:200]
            self._began = now
        *events, self._rest = (self._rest + data).split(b"\n\n")
        for event in events:
            if b"event: line\n" in event:
                self._line(event, now)
            elif b"event: end\n" in event:
                self._seen.ended += 1
                self.finish()

    def _line(self, event: bytes, now: float) -> None:
        found = LINE_ID.search(event)
        assert found is not None, event
        number = int(found[1])
        self._seen.lines += 1
        if number != self._last + 1:
            self._seen.gaps += 1
        self._last = number
        written = STAMP.search(event)
        if written is not None and float(written[1]) > self._began:
            self._seen.seconds.append(now - float(written[1]))

    def connection_lost(self, _: Exception | None) -> None:
        self.finish()

    def finish(self) -> None:
        if not self.over.done():
            self.over.set_result(None)
        if self._transport is not None:
            self._transport.close()


async def read(plan: Mapping[str, Any]) -> dict[str, Any]:
    """
    Args:
        plan: {`host`, `port`, `cookie`, `paths`: one for each follower, `stalled`: as many who ask and read
            nothing, `polls_a_second`}
    """
    address = Address(plan["host"], plan["port"], f"Cookie: {plan['cookie']}\r\n")
    seen, loop = Seen(), asyncio.get_running_loop()
    followers = []
    for path in plan["paths"]:
        request = request_text(address, path, "Accept: text/event-stream\r\n")
        _, follower = await loop.create_connection(lambda request=request: Follower(seen, request), *address.socket)
        followers.append(follower)
    stalled = [reader_of_nothing(address, path) for path in plan["stalled"]]
    poller = Poller(address, plan["polls_a_second"])
    async with asyncio.TaskGroup() as group:
        polling = group.create_task(poller.serve())
        for follower in followers:
            await follower.over
        polling.cancel()
    for connection in stalled:
        connection.close()
    return {
        "followers": len(followers), "ended": seen.ended, "lines": seen.lines, "gaps": seen.gaps,
        "received": seen.received, **_figures("line", seen.seconds), **_figures("status", poller.seconds),
        "polls": len(poller.seconds), "polls_a_second": poller.rate, "processor_seconds": time.process_time(),
    }


def _figures(name: str, seconds: Sequence[float]) -> dict[str, float]:
    if not seconds:
        return {}
    return {f"{name}_p50": p(seconds, 50), f"{name}_p99": p(seconds, 99), f"{name}_slowest": round(max(seconds), 4),
            f"{name}_measured": len(seconds)}


def main() -> None:
    print(json.dumps(uvloop.run(read(json.load(sys.stdin)))), flush=True)


if __name__ == "__main__":
    main()
