"""A tunnel: a channel on one side, a connected socket on the other; half-closes and pressure go through."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Callable
from typing import cast

import asyncssh


class TunnelSession(asyncssh.SSHTCPSession[bytes]):
    """The channel's side."""

    def __init__(self, touch: Callable[[], None], left: Callable[[TunnelSession], None]) -> None:
        """
        Args:
            left: Called once, when it is over.
        """
        self._touch = touch
        self._left = left
        self._over = False
        self._channel: asyncssh.SSHTCPChannel[bytes] | None = None
        self._early: list[bytes] = []
        self._has_started = False
        self.transport: asyncio.Transport | None = None

    @property
    def channel(self) -> asyncssh.SSHTCPChannel[bytes] | None:
        return self._channel

    async def over(self, opened: socket.socket) -> None:
        """Have a connected socket as the other end; it is closed with the tunnel."""
        opened.setblocking(False)
        loop = asyncio.get_running_loop()
        connect = loop.create_unix_connection if opened.family == socket.AF_UNIX else loop.create_connection
        try:
            await connect(lambda: _OtherEnd(self), sock=opened)
        except BaseException:
            opened.close()
            raise
        if self._over:   # the client's connection has ended meanwhile
            self._close()

    @property
    def is_open(self) -> bool:
        return self.transport is not None

    def connection_made(self, chan: asyncssh.SSHTCPChannel[bytes]) -> None:
        self._channel = chan
        if self.transport is None:
            chan.close()

    def session_started(self) -> None:
        """The client knows of the channel: what came for it meanwhile, a server's greeting, goes first."""
        self._has_started = True
        early, self._early = self._early, []
        for data in early:
            self.said(data)
        if self.transport is not None:
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
        self._close()
        if not self._over:
            self._over = True
            self._left(self)

    def _close(self) -> None:
        transport, self.transport = self.transport, None
        if transport is not None:
            transport.close()

    def said(self, data: bytes) -> None:
        """Something came from the other end. It may come early: uvloop reads although it was told to pause."""
        self._touch()
        if not self._has_started:
            self._early.append(data)
            if self.transport is not None:
                self.transport.pause_reading()
        elif self._channel is not None:
            self._channel.write(data)


class _OtherEnd(asyncio.Protocol):
    """The socket's side."""

    def __init__(self, session: TunnelSession) -> None:
        self._session = session

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._session.transport = cast("asyncio.Transport", transport)   # uvloop's is no subclass of it
        self._session.transport.pause_reading()   # until there is a channel to say it to

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

