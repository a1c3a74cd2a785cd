"""A tunnel: a channel on one side, a connected socket on the other; half-closes and pressure go through."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Callable

import asyncssh


class TunnelSession(asyncssh.SSHTCPSession[bytes]):
    """The channel's side."""

    def __init__(self, touch: Callable[[], None], left: Callable[[], None]) -> None:
        self._touch = touch
        self._left = left
        self._channel: asyncssh.SSHTCPChannel[bytes] | None = None
        self.transport: asyncio.Transport | None = None

    @property
    def channel(self) -> asyncssh.SSHTCPChannel[bytes] | None:
        return self._channel

    def connection_made(self, chan: asyncssh.SSHTCPChannel[bytes]) -> None:
        self._channel = chan
        assert self.transport is not None
        self.transport.resume_reading()

    def data_received(self, data: bytes, datatype: asyncssh.DataType) -> None:
        self._touch()
        if self.transport is not None:
            self.transport.write(data)

    def eof_received(self) -> bool:
        if self.transport is not None and self.transport.can_write_eof():
            self.transport.write_eof()
        return True

    def pause_writing(self) -> None:
        """The client reads slower than the other end speaks."""
        if self.transport is not None:
            self.transport.pause_reading()

    def resume_writing(self) -> None:
        if self.transport is not None and not self.transport.is_closing():
            self.transport.resume_reading()

    def connection_lost(self, exc: Exception | None) -> None:
        self._channel = None
        self.end()

    def end(self) -> None:
        """May be called again."""
        transport, self.transport = self.transport, None
        if transport is not None:
            transport.close()
            self._left()

    def said(self, data: bytes) -> None:
        """Something came from the other end."""
        self._touch()
        if self._channel is not None:
            self._channel.write(data)


class _OtherEnd(asyncio.Protocol):
    """The socket's side."""

    def __init__(self, session: TunnelSession) -> None:
        self._session = session

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self._session.transport = transport
        transport.pause_reading()   # until there is a channel to say it to

    def data_received(self, data: bytes) -> None:
        self._session.said(data)

    def eof_received(self) -> bool:
        if self._session.channel is not None:
            self._session.channel.write_eof()
        return True

    def pause_writing(self) -> None:
        if self._session.channel is not None:
            self._session.channel.pause_reading()

    def resume_writing(self) -> None:
        if self._session.channel is not None:
            self._session.channel.resume_reading()

    def connection_lost(self, exc: Exception | None) -> None:
        if self._session.channel is not None:
            self._session.channel.close()
        self._session.end()


async def open_tunnel(
    opened: socket.socket, touch: Callable[[], None], left: Callable[[], None],
) -> TunnelSession:
    """A session over a connected socket, which is its own from now on; `left` is called once when it is over."""
    session = TunnelSession(touch, left)
    opened.setblocking(False)
    loop = asyncio.get_running_loop()
    connect = loop.create_unix_connection if opened.family == socket.AF_UNIX else loop.create_connection
    await connect(lambda: _OtherEnd(session), sock=opened)
    return session
