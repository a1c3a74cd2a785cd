"""Connections to `listen`, bounded: who sends nothing, or a request letter by letter, does not keep others out.

aiohttp waits for the head of a first request for an hour, and for as many as come. Here each connection stands between
the socket and aiohttp's own handler:

    made ──► waits for a head ──► is asked for something ──► waits for the next head ──► …
                 │ head_seconds        │ answer_seconds           │ idle_seconds
                 └─────────────────────┴──► closed ◄──────────────┘

Who has shown a right token is let in, and takes as long as it takes. All others are strangers, also while a body of
theirs is read. When there are too many strangers, the one goes of which nothing was heard for longest, of the address
that has most. So nobody is refused: a request that is sent at once is answered, however many others dawdle.
"""

from __future__ import annotations

import asyncio
import resource
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, cast

import structlog
from aiohttp import web

from deployd.http.errors import Handler
from deployd.http.failed_sign_ins import source_of

log = structlog.get_logger()

SHARE_OF_DESCRIPTORS = 4
"""One in so many may be a connection; the rest is for git, Docker, files and the daemon's own socket."""
TOLD_AGAIN_SECONDS = 60.0


@dataclass(frozen=True, slots=True)
class ConnectionLimits:
    head_seconds: float = 15.0
    """Until the head of a request is here, from when the connection is made."""
    answer_seconds: float = 60.0
    """Until a stranger is answered: a webhook's body has 9 seconds, a status some more when Docker hangs."""
    idle_seconds: float = 75.0
    """Between an answer and the next head."""
    strangers: int = 2_500
    strangers_of_one: int = 1_000
    """Of one address: a proxy, or a forge that delivers a burst of webhooks, has some hundreds open."""
    let_in_of_one: int = 1_000
    """Of one address. Each follower of a log is one; behind a proxy all come from one address."""


class Connections:
    """All connections of the public port."""

    def __init__(self, limits: ConnectionLimits | None = None) -> None:
        self.limits = limits or ConnectionLimits()
        self._strangers: dict[Connection, None] = {}
        """In the order in which something was heard of them; letters of a head are nothing."""
        self._strangers_of: Counter[str] = Counter()
        self._open_of: Counter[str] = Counter()
        self._most = resource.getrlimit(resource.RLIMIT_NOFILE)[0] // SHARE_OF_DESCRIPTORS
        self.open = 0
        self._told = -TOLD_AGAIN_SECONDS

    @property
    def strangers(self) -> int:
        """How many have not shown a token."""
        return len(self._strangers)

    def of(self, make: Callable[[], asyncio.Protocol]) -> Callable[[], Connection]:
        """A factory of protocols that bounds those of another."""
        return lambda: Connection(self, make())

    def opened(self, connection: Connection) -> bool:
        """Whether there is room for it."""
        source = connection.source
        self.open += 1
        self._open_of[source] += 1
        let_in = self._open_of[source] - self._strangers_of[source]
        if let_in > self.limits.let_in_of_one or self.open > self._most:
            self._tell("connection_refused", source)
            return False
        return True

    def closed(self, connection: Connection) -> None:
        self.is_let_in(connection)
        self.open -= 1
        _count_down(self._open_of, connection.source)

    def is_stranger(self, connection: Connection) -> None:
        """It has shown nothing from now on; another one may have to go for it."""
        if connection in self._strangers:   # a request of it has come or was answered: it is behind all others again
            del self._strangers[connection]
            self._strangers[connection] = None
            return
        self._strangers[connection] = None
        self._strangers_of[connection.source] += 1
        if self._strangers_of[connection.source] > self.limits.strangers_of_one:
            self._end_oldest(connection.source)
        elif self.strangers > self.limits.strangers:
            self._end_oldest(max(self._strangers_of, key=self._strangers_of.__getitem__))

    def is_let_in(self, connection: Connection) -> None:
        """It has shown a right token, or is gone."""
        if connection in self._strangers:
            del self._strangers[connection]
            _count_down(self._strangers_of, connection.source)

    def _end_oldest(self, source: str) -> None:
        self._tell("connections_cut", source)
        oldest = next(item for item in self._strangers if item.source == source)
        self.is_let_in(oldest)
        oldest.end()

    def _tell(self, event: str, source: str) -> None:
        """Once a minute: an attacker does not fill the operator's log."""
        now = asyncio.get_running_loop().time()
        if now - self._told >= TOLD_AGAIN_SECONDS:
            self._told = now
            log.warning(event, source=source, open=self.open, strangers=self.strangers)


def _count_down(counts: Counter[str], source: str) -> None:
    """An address that has none is forgotten: there are many."""
    counts[source] -= 1
    if not counts[source]:
        del counts[source]


class Connection(asyncio.Protocol):
    """One connection. What it does is aiohttp's business; this only counts and looks at the clock."""

    def __init__(self, all_of_them: Connections, inner: asyncio.Protocol) -> None:
        self._all = all_of_them
        self._inner = inner
        self._transport: asyncio.Transport | None = None
        self._deadline: asyncio.TimerHandle | None = None
        self.source = "unknown"

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)   # uvloop's are none by their class
        peer = transport.get_extra_info("peername")
        self.source = source_of(peer[0] if isinstance(peer, tuple) else None)
        self._inner.connection_made(transport)
        if self._all.opened(self):
            self._wait(self._all.limits.head_seconds)
        else:
            self.end()

    def data_received(self, data: bytes) -> None:
        self._inner.data_received(data)

    def eof_received(self) -> bool | None:
        return self._inner.eof_received()

    def pause_writing(self) -> None:
        self._inner.pause_writing()

    def resume_writing(self) -> None:
        self._inner.resume_writing()

    def connection_lost(self, exc: Exception | None) -> None:
        self._cancel()
        self._all.closed(self)
        self._inner.connection_lost(exc)

    def head_arrived(self) -> None:
        """A request is here, whole but for its body."""
        self._wait(self._all.limits.answer_seconds)

    def let_in(self) -> None:
        """It brought a right token."""
        self._cancel()
        self._all.is_let_in(self)

    def answered(self) -> None:
        """The next head is waited for, if there is one."""
        if self._transport is not None and not self._transport.is_closing():
            self._wait(self._all.limits.idle_seconds)

    def end(self) -> None:
        """Close it at once."""
        self._cancel()
        if self._transport is not None:
            self._transport.abort()

    def _wait(self, seconds: float) -> None:
        self._cancel()
        self._deadline = asyncio.get_running_loop().call_later(seconds, self.end)
        self._all.is_stranger(self)

    def _cancel(self) -> None:
        if self._deadline is not None:
            self._deadline.cancel()
            self._deadline = None


async def heads_counted(request: web.Request, handler: Handler) -> web.StreamResponse:
    """Tells a connection that a request has arrived, and that it was answered. The outermost of all."""
    connection = _connection_of(request)
    if connection is None:
        return await handler(request)
    connection.head_arrived()
    try:
        return await handler(request)
    finally:
        connection.answered()


def let_in(request: web.Request) -> None:
    """Tells a connection that it brought a right token."""
    connection = _connection_of(request)
    if connection is not None:
        connection.let_in()


def _connection_of(request: web.Request) -> Connection | None:
    """None: it came by the daemon's own socket, or in a test, or it is gone."""
    connection = request.transport.get_protocol() if request.transport else None
    return connection if isinstance(connection, Connection) else None


class BoundedRunner(web.ServerRunner):
    """A runner whose sites have bounded connections: they ask it for `server`, and call that for each connection."""

    def __init__(self, inner: web.Server, connections: Connections, **more: Any) -> None:
        super().__init__(inner, **more)
        self._connections = connections

    @property
    def server(self) -> Any:
        server = super().server
        return None if server is None else self._connections.of(server)
