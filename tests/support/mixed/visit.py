"""What every visitor knows: where to go, what has been seen so far, and how to keep account of it."""

from __future__ import annotations

import asyncio
import json
import os
import ssl
import time
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field

import aiohttp
from yarl import URL

from tests.support.mixed.count import Count

HELD_SECONDS = 0.25
"""A request that took as long was held."""
PAUSE_SECONDS = 0.05
QUICK = {"kept", "fresh", "heads", "posts", "ranges", "cached"}
"""Requests that last when they are held, and then only."""
EARLY_SECONDS = 0.7
"""A newer version may have been live for so long before any visitor has seen it."""


@dataclass(frozen=True)
class Begun:
    """A request that is under way."""

    name: str
    at: float
    newest: int
    """The newest version that had been seen when it was sent: no older one may answer."""


@dataclass
class Visit:
    host: str
    http_port: int
    https_port: int
    drain_seconds: float
    session: aiohttp.ClientSession
    count: Count = field(default_factory=Count)
    over: asyncio.Event = field(default_factory=asyncio.Event)
    sent: set[str] = field(default_factory=set)
    """Ids of POSTs; each must arrive once."""
    broken: set[str] = field(default_factory=set)
    """Ids of POSTs that never were whole: none may be done."""
    given_up: dict[str, int | None] = field(default_factory=dict)
    """{id of a POST whose client left before its answer: the version that must not have done it, or None}"""
    first_seen: dict[int, float] = field(default_factory=dict)
    """{version: when the first visitor saw it}"""
    number: int = 0

    @property
    def newest(self) -> int:
        return max(self.first_seen, default=0)

    def url(self, path: str) -> URL:
        return URL(f"http://127.0.0.1:{self.http_port}").with_path(path)

    def new_id(self) -> str:
        self.number += 1
        return f"{os.getpid()}-{self.number}"

    def begin(self, name: str, times: int = 1) -> Begun:
        self.count.requests[name] += times
        return Begun(name, time.monotonic(), self.newest)

    def end(self, begun: Begun, version: int) -> None:
        ended = time.monotonic()
        if ended - begun.at > HELD_SECONDS and begun.name in QUICK:
            self.count.held.append((begun.at, ended))
        if version < begun.newest:
            self.count.wrong_version.append(f"{begun.name}: version {version} after {begun.newest} was seen")
        self.first_seen.setdefault(version, ended)
        self.count.versions.add(version)

    def closed(self, name: str, version: int) -> None:
        """The other side has ended something open: right after a switch and the time to drain, and only then."""
        newer = [seen for other, seen in self.first_seen.items() if other > version]
        assert newer, f"closed on version {version}, and there was no switch"
        seconds = time.monotonic() - min(newer)
        self.count.drains.append(seconds)
        self.count.reopened += 1
        assert seconds > self.drain_seconds - EARLY_SECONDS, f"closed {seconds:.2f} s after the switch"

    async def ask(self, name: str, method: str, path: str, headers: Mapping[str, str] | None = None,
                  **more: object) -> int:
        """One request that must succeed; returns the version that answered, 0 for HEAD."""
        begun = self.begin(name)
        async with self.session.request(
            method, self.url(path), headers={"Host": self.host, **(headers or {})}, **more,  # type: ignore[arg-type]
        ) as answer:
            body = await answer.read()
            assert answer.status == 200, f"{answer.status} {body[:80]!r}"
            if method == "HEAD":
                return 0
            version = int(json.loads(body)["version"])
            self.end(begun, version)
            return version

    def head(self, method: str, path: str, *lines: str) -> bytes:
        """A request's head as it goes over the wire."""
        return "\r\n".join((f"{method} {path} HTTP/1.1", f"Host: {self.host}", *lines, "", "")).encode()

    @asynccontextmanager
    async def connection(self) -> AsyncIterator[tuple[asyncio.StreamReader, asyncio.StreamWriter]]:
        reader, writer = await asyncio.open_connection("127.0.0.1", self.http_port)
        try:
            yield reader, writer
        finally:
            writer.close()
            with suppress(ConnectionError, ssl.SSLError):
                await writer.wait_closed()
