"""One session as asyncssh has it: whatever is asked for is taken and given to one function, as a task of its own.

What asyncssh would do by itself it does not: no SFTP server, no scp, no line editor, no environment of the client's but
a few names. A client cannot have us keep more than a little before somebody serves it.
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import Awaitable, Callable

import asyncssh

MOST_EVENTS = 100
"""Changes of a terminal's size and signals that nobody has read yet."""
LONGEST_VALUE, MOST_NAMES = 256, 20
ALLOWED = re.compile(rb"GIT_PROTOCOL|LANG|LC_[A-Z0-9_]{1,20}|TERM")
"""Of the client's environment; all others are dropped."""
WINDOW_BYTES = 2 * 1024 * 1024
PACKET_BYTES = 65_536
Serve = Callable[["Session"], Awaitable[None]]


class Environment(dict[bytes, bytes]):
    """What a client sets: a few names, of a size that is good for them."""

    def __setitem__(self, name: bytes, value: bytes) -> None:
        if ALLOWED.fullmatch(name) and len(value) <= LONGEST_VALUE and len(self) < MOST_NAMES:
            super().__setitem__(name, value)


class SessionChannel(asyncssh.SSHServerChannel[bytes]):
    """A channel that says when it was used."""

    def __init__(self, connection: asyncssh.SSHServerConnection, touch: Callable[[], None]) -> None:
        super().__init__(
            connection, asyncio.get_running_loop(), allow_pty=True, line_editor=False, line_echo=False, line_history=0,
            max_line_length=0, encoding=None, errors="strict", window=WINDOW_BYTES, max_pktsize=PACKET_BYTES,
        )
        connection._update_recv_pktlen(PACKET_BYTES)
        self._env = Environment(self._env)
        self._touch = touch

    def write(self, data: bytes, datatype: asyncssh.DataType = None) -> None:
        self._touch()
        super().write(data, datatype)


class Session(asyncssh.SSHServerProcess[bytes]):
    """Takes whatever is asked for, so that it can be refused in words."""

    def __init__(self, serve: Serve, touch: Callable[[], None], left: Callable[[], None]) -> None:
        """
        Args:
            left: Called once, when its channel is gone; whether or not anything was asked for in it.
        """
        super().__init__(lambda _: None, None, 0, False)
        self._serve = serve
        self._touch = touch
        self._left = left
        self._serving: asyncio.Task[None] | None = None

    def subsystem_requested(self, subsystem: str) -> bool:
        return True

    def session_started(self) -> None:
        assert self._chan is not None
        assert self._conn is not None
        self._start_process(
            asyncssh.SSHReader(self, self._chan), asyncssh.SSHWriter(self, self._chan),
            asyncssh.SSHWriter(self, self._chan, asyncssh.EXTENDED_DATA_STDERR),
        )
        self._serving = self._conn.create_task(self._serve(self))

    def data_received(self, data: bytes, datatype: asyncssh.DataType) -> None:
        self._touch()
        super().data_received(data, datatype)

    def exception_received(self, exc: Exception) -> None:
        if len(self._recv_buf[None]) < MOST_EVENTS:
            super().exception_received(exc)

    def connection_lost(self, exc: Exception | None) -> None:
        super().connection_lost(exc)
        if self._serving is not None:
            self._serving.cancel()
        self._left()
