"""Visitors of every kind at a steady rate, through deployments; and what must not happen to them.

    kept      GET on connections that are used again     uploads   POST whose body takes a second to come
    fresh     GET on a connection each                   streams   GET over HTTP/2, ten on a connection (curl)
    heads     HEAD, and GET with a query                 sockets   lines over an upgraded connection, echoed
    posts     POST with a body

What is wrong: an answer that is not 200; one of a version that is older than one that was seen before the request was
begun (the switch is one step for everybody, or it is not one); a POST that reached the earlier version after the deploy
hook had begun (it should have been held); a POST that arrived twice or not at all; a line that was not echoed. An
upgraded connection stays on its version, and is opened again when it is closed after the drain time.
"""

from __future__ import annotations

import asyncio
import json
import os
import re
import ssl
import time
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from itertools import pairwise

import aiohttp
from yarl import URL

from deployd.process import run

HELD_SECONDS = 0.25
"""A request that took as long was held."""
PAUSE_SECONDS = 0.05
AT_ONCE = {"kept": 4, "fresh": 3, "posts": 3, "sockets": 2}
"""Visitors of a kind; one of those that are not named."""
VERSION = re.compile(r'"version": "([0-9]+)"')
POST_BYTES = 5000
PIECES, PIECE_BYTES = 10, 2048


@dataclass
class Count:
    """What was seen."""

    requests: Counter[str] = field(default_factory=Counter)
    errors: list[str] = field(default_factory=list)
    wrong_version: list[str] = field(default_factory=list)
    duplicates: list[str] = field(default_factory=list)
    lost: list[str] = field(default_factory=list)
    held: list[tuple[float, float]] = field(default_factory=list)
    """(when it began, when it was answered) of each."""
    reopened: int = 0
    """Upgraded connections that were closed after their drain time."""
    versions: set[int] = field(default_factory=set)

    def line(self, deployments: int) -> str:
        longest = max((end - begin for begin, end in self.held), default=0.0)
        return (
            f"mixed: deployments={deployments} requests={self.requests.total()} errors={len(self.errors)}"
            f" duplicates={len(self.duplicates)} lost={len(self.lost)} wrong_version={len(self.wrong_version)}"
            f" held={len(self.held)} longest_wait={longest:.2f} out_of_order={self.out_of_order()}"
        )

    def out_of_order(self) -> int:
        """How many of those held were answered before one that had come earlier, beyond the client's own noise."""
        ends = [end for _, end in sorted(self.held)]
        return sum(1 for earlier, later in pairwise(ends) if later < earlier - PAUSE_SECONDS)

    @property
    def is_clean(self) -> bool:
        return not (self.errors or self.wrong_version or self.duplicates or self.lost)


class Visitors:
    """They visit from `visiting()`'s beginning to its end."""

    def __init__(self, host: str, http_port: int, https_port: int) -> None:
        self._host = host
        self._http = URL(f"http://127.0.0.1:{http_port}")
        self._https_port = https_port
        self._port = http_port
        self.count = Count()
        self._sent: set[str] = set()
        self._newest = 0
        self._over = asyncio.Event()
        self._number = 0

    @asynccontextmanager
    async def visiting(self) -> AsyncIterator[Count]:
        kinds: dict[str, Callable[[aiohttp.ClientSession], Awaitable[None]]] = {
            "kept": self._kept, "fresh": self._fresh, "heads": self._heads, "posts": self._posts,
            "uploads": self._uploads, "streams": self._streams, "sockets": self._sockets,
        }
        timeout = aiohttp.ClientTimeout(total=90)
        async with aiohttp.ClientSession(timeout=timeout) as session, asyncio.TaskGroup() as group:
            for name, kind in kinds.items():
                for _ in range(AT_ONCE.get(name, 1)):
                    group.create_task(self._repeat(name, kind, session), name=name)
            try:
                yield self.count
            finally:
                self._over.set()
        await self._compare_ids()

    async def _repeat(
        self, name: str, kind: Callable[[aiohttp.ClientSession], Awaitable[None]], session: aiohttp.ClientSession,
    ) -> None:
        while not self._over.is_set():
            try:
                await kind(session)
            except (aiohttp.ClientError, OSError, TimeoutError, EOFError, AssertionError) as error:
                self.count.errors.append(f"{time.strftime('%H:%M:%S')} {name}: {type(error).__name__}: {error}")
            await asyncio.sleep(PAUSE_SECONDS)

    def _begin(self, name: str) -> tuple[float, int]:
        self.count.requests[name] += 1
        return time.monotonic(), self._newest

    def _end(self, name: str, begun: tuple[float, int], version: int) -> None:
        began, newest = begun
        ended = time.monotonic()
        if ended - began > HELD_SECONDS and name in ("kept", "fresh", "posts", "heads"):
            self.count.held.append((began, ended))
        if version < newest:
            self.count.wrong_version.append(f"{name}: version {version} after {newest} was seen")
        self._newest = max(self._newest, version)
        self.count.versions.add(version)

    async def _ask(self, session: aiohttp.ClientSession, name: str, method: str, path: str, **more: object) -> None:
        begun = self._begin(name)
        headers = {"Host": self._host, **(more.pop("headers", {}))}   # type: ignore[dict-item]
        async with session.request(method, self._http.with_path(path), headers=headers, **more) as answer:  # type: ignore[arg-type]
            body = await answer.read()
            assert answer.status == 200, f"{answer.status} {body[:80]!r}"
            if method != "HEAD":
                self._end(name, begun, int(json.loads(body)["version"]))

    async def _kept(self, session: aiohttp.ClientSession) -> None:
        await self._ask(session, "kept", "GET", "/kept")

    async def _fresh(self, session: aiohttp.ClientSession) -> None:
        await self._ask(session, "fresh", "GET", "/fresh", headers={"Connection": "close"})

    async def _heads(self, session: aiohttp.ClientSession) -> None:
        await self._ask(session, "heads", "HEAD", "/head")
        await self._ask(session, "heads", "GET", "/query", params={"a": "b"})

    def _new_id(self) -> str:
        self._number += 1
        return f"{os.getpid()}-{self._number}"

    async def _posts(self, session: aiohttp.ClientSession) -> None:
        name = self._new_id()
        self._sent.add(name)
        await self._ask(session, "posts", "POST", "/post", data=b"x" * POST_BYTES, headers={"X-Id": name})

    async def _uploads(self, _: aiohttp.ClientSession) -> None:
        """Slowly, on a connection of its own: it may begin before a freeze and end in it."""
        name = self._new_id()
        self._sent.add(name)
        begun = self._begin("uploads")
        async with _connection(self._port) as (reader, writer):
            size = PIECES * PIECE_BYTES
            writer.write(f"POST /slow HTTP/1.1\r\nHost: {self._host}\r\nX-Id: {name}\r\nConnection: close\r\n"
                         f"Content-Length: {size}\r\n\r\n".encode())
            for _piece in range(PIECES):
                writer.write(b"y" * PIECE_BYTES)
                await writer.drain()
                await asyncio.sleep(0.1)
            head, _, body = (await reader.read()).partition(b"\r\n\r\n")
        assert head.startswith(b"HTTP/1.1 200"), head[:80]
        found = json.loads(body)
        assert found["size"] == size, found
        self._end("uploads", (begun[0], 0), int(found["version"]))   # it may have reached the earlier version before

    async def _streams(self, _: aiohttp.ClientSession) -> None:
        begun = self._begin("streams")
        urls = [f"https://{self._host}:{self._https_port}/stream{number}" for number in range(10)]
        ran = await run(
            "curl", "-sk", "--http2", "--parallel", "--max-time", "90", "--resolve",
            f"{self._host}:{self._https_port}:127.0.0.1", "-w", "\n%{http_version} %{http_code}\n", *urls,
            check=False, limit_seconds=120,
        )
        assert ran.status == 0, f"curl ended with {ran.status}"
        assert ran.text.count("2 200") == len(urls), ran.text
        versions = VERSION.findall(ran.text)
        assert len(versions) == len(urls), ran.text
        for version in versions:
            self._end("streams", begun, int(version))

    async def _sockets(self, _: aiohttp.ClientSession) -> None:
        """Until it is closed: then the visitor comes again. A line that was sent must come back, or nothing."""
        begun = self._begin("sockets")
        async with _connection(self._port) as (reader, writer):
            writer.write(f"GET /echo HTTP/1.1\r\nHost: {self._host}\r\nConnection: Upgrade\r\n"
                         "Upgrade: websocket\r\n\r\n".encode())
            head = await reader.readuntil(b"\r\n\r\n")
            assert head.startswith(b"HTTP/1.1 101"), head[:80]
            self._end("sockets", begun, int(await reader.readline()))
            number = 0
            while not self._over.is_set():
                number += 1
                sent = f"line {number}\n".encode()
                writer.write(sent)
                try:
                    back = await reader.readline()
                except ConnectionResetError:   # it was closed while our line was under way
                    back = b""
                if not back:
                    self.count.reopened += 1
                    return
                assert back == sent, (sent, back)
                self.count.requests["lines"] += 1
                await asyncio.sleep(PAUSE_SECONDS)

    async def _compare_ids(self) -> None:
        async with aiohttp.ClientSession() as session, session.get(
            self._http.with_path("/ids"), headers={"Host": self._host},
        ) as answer:
            assert answer.status == 200, answer.status
            lines = [line.split() for line in (await answer.text()).splitlines()]
        arrived: Counter[str] = Counter()
        hooked = 0
        for name, version, size in lines:   # in the order in which they were written
            if name == "hook":
                hooked = int(version)
                continue
            arrived[name] += 1
            if int(version) < hooked and int(size) == POST_BYTES:   # an upload may have begun long before
                self.count.wrong_version.append(f"{name}: reached version {version} while the hook of {hooked} ran")
        self.count.duplicates = [name for name, times in arrived.items() if times > 1]
        self.count.lost = sorted(self._sent - arrived.keys())


@asynccontextmanager
async def _connection(port: int) -> AsyncIterator[tuple[asyncio.StreamReader, asyncio.StreamWriter]]:
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    try:
        yield reader, writer
    finally:
        writer.close()
        with suppress(ConnectionError, ssl.SSLError):
            await writer.wait_closed()
