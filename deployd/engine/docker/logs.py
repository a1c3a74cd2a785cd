"""What containers have written, what happens to them, and whether they become ready."""

from __future__ import annotations

import asyncio
import json
from collections import deque
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from pathlib import Path

import aiohttp

from deployd.engine.docker.containers import Containers, label_filter
from deployd.engine.docker.edge import UNREACHABLE, ask, translated
from deployd.engine.docker.frames import FrameLines
from deployd.engine.docker.read import read_event
from deployd.engine.engine import EVIDENCE_LINES
from deployd.engine.errors import NotReady, NotThere
from deployd.engine.observed import ContainerSeen, EventSeen

CHUNK_BYTES = 65_536
SHORTEST_PAUSE_SECONDS, LONGEST_PAUSE_SECONDS = 0.05, 0.5
MOST_RESTARTS = 3
"""A container that its restart policy has started so often will not become ready by waiting."""


class _LogReader:
    """Lines of a container, as they arrive."""

    def __init__(self, response: aiohttp.ClientResponse) -> None:
        self._response = response
        self._lines = FrameLines()

    async def take(self) -> tuple[str, str] | None:
        """The next line, (`stdout` or `stderr`, text); None at the end."""
        while not self._lines.ready:
            chunk = await _chunk(self._response)
            if not chunk:
                self._lines.end()
                return self._lines.ready.popleft() if self._lines.ready else None
            self._lines.feed(chunk)
        return self._lines.ready.popleft()


class EventFollower:
    """What happens in Docker, as it happens. Nothing is kept from before: begin to follow, then look at the world."""

    def __init__(self, response: aiohttp.ClientResponse) -> None:
        self._response = response
        self._rest = b""
        self._ready: deque[EventSeen] = deque()

    async def take(self) -> EventSeen | None:
        """The next event; None when Docker has gone away: connect again, and look at the world again."""
        while not self._ready:
            chunk = await _chunk(self._response)
            if not chunk:
                return None
            *lines, self._rest = (self._rest + chunk).split(b"\n")
            self._ready.extend(read_event(json.loads(line)) for line in lines if line.strip())
        return self._ready.popleft()


class Logs(Containers):
    async def log_file(self, container_id: str) -> Path:
        """Where Docker writes down what a container prints (`json-file`)."""
        return await self.folder() / "containers" / container_id / f"{container_id}-json.log"

    async def last_lines(self, name: str, count: int = EVIDENCE_LINES) -> tuple[str, ...]:
        params = {"stdout": "1", "stderr": "1", "tail": str(count)}
        try:
            response = await self._stream(f"read the log of {name}", f"containers/{name}/logs", params)
        except NotThere:
            return ()
        async with response:
            reader = _LogReader(response)
            lines: list[str] = []
            while (line := await ask(f"read the log of {name}", reader.take())) is not None:
                lines.append(line[1])
        return tuple(lines[-count:])

    @asynccontextmanager
    async def events(self, labels: Mapping[str, str]) -> AsyncIterator[EventFollower]:
        async with await self._stream("follow events", "events", {"filters": label_filter(labels)}) as response:
            yield EventFollower(response)

    async def wait_until_healthy(self, name: str, limit_seconds: float) -> ContainerSeen:
        pause = SHORTEST_PAUSE_SECONDS
        seen: ContainerSeen | None = None
        try:
            async with asyncio.timeout(limit_seconds):
                while True:
                    seen = await self.container(name)
                    if seen is None or not seen.running or seen.restarts >= MOST_RESTARTS:
                        break
                    if seen.health in ("healthy", "none"):
                        return seen
                    await asyncio.sleep(pause)
                    pause = min(pause * 1.5, LONGEST_PAUSE_SECONDS)
        except TimeoutError:
            pass
        raise NotReady(
            f"{name} did not become ready: {_why(seen, limit_seconds)}", where=name,
            evidence=await self.last_lines(name), hint="its last lines above say why",
        )


def _why(seen: ContainerSeen | None, limit_seconds: float) -> str:
    if seen is None:
        return "it does not exist"
    if seen.running and seen.restarts < MOST_RESTARTS:
        return f"its health check still says {seen.health} after {limit_seconds:g} s"
    times = f" (started again {seen.restarts} times)" if seen.restarts else ""
    if seen.running:
        return f"it ends again and again{times}"
    return f"it ended with exit status {seen.exit_status}{times}"


async def _chunk(response: aiohttp.ClientResponse) -> bytes:
    """What has arrived; empty at the end. How long it takes is the reader's business."""
    try:
        return await response.content.read(CHUNK_BYTES)
    except aiohttp.ClientError as error:
        raise translated("go on reading", UNREACHABLE, str(error) or type(error).__name__) from None
