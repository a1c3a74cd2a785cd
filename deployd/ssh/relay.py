"""A client's channel joined with the streams of a command: both ways, with pressure, half-closes, sizes and signals."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Mapping
from contextlib import suppress
from typing import Protocol

import asyncssh

from deployd.frames import FrameReader
from deployd.ssh.link import Values
from deployd.ssh.names import plain
from deployd.ssh.ports import Channel, Conversation

CHUNK_BYTES = 262_144
QUIET_SECONDS = 0.25
"""A command is over, and for so long nothing has come: what it left behind may keep its output open for ever."""
END_OF_INPUT = b"\x04"
"""What a person presses on a terminal."""


class Listener(Protocol):
    """Reads what comes on stderr in place of the client."""

    @property
    def did(self) -> str:
        """What it heard, in short, for the audit log."""
        ...

    def feed(self, data: bytes) -> None: ...


class Relay:
    def __init__(self, channel: Channel, streams: socket.socket, *, framed: bool) -> None:
        streams.setblocking(False)
        self._channel = channel
        self._streams = streams
        self._frames = FrameReader() if framed else None
        self._patience: asyncio.Timeout | None = None
        """Of whoever waits for output."""
        self._ended = asyncio.Event()
        """All output has come."""
        self._over = False
        self.talk: Conversation | None = None
        """With the daemon, when there is one."""
        self.heard: Listener | None = None

    @property
    def is_over(self) -> bool:
        """Whether nothing more comes from the command."""
        return self._ended.is_set()

    async def carry(self) -> None:
        """Until all output has come."""
        async with asyncio.TaskGroup() as group:
            going_in = group.create_task(self._carry_in(), name="from the client")
            with suppress(OSError, asyncssh.Error):      # the client has gone
                await self._carry_out()
            going_in.cancel()
        if self.talk is not None and self.heard is not None and self.heard.did:
            await self.talk.tell(did=self.heard.did)
        self.close()          # the engine knows the status when nobody has its streams open any more
        self._ended.set()

    def hear(self, said: Values) -> None:
        """What the daemon says."""
        lines = said.get("said")
        if isinstance(lines, list):
            self.say(*map(str, lines))
        if said.get("over") is True:
            self._over = True
            if self._patience is not None:
                self._patience.reschedule(asyncio.get_running_loop().time() + QUIET_SECONDS)

    def say(self, *lines: str) -> None:
        """Lines of ours, on stderr."""
        ending = "\r\n" if self._channel.term_type else "\n"
        if lines and not self._channel.is_closing():
            self._channel.stderr.write("".join(f"deployd: {plain(line)}{ending}" for line in lines).encode())

    async def until_quiet(self) -> None:
        """Until all output has come."""
        await self._ended.wait()

    def close(self) -> None:
        """May be called again."""
        self._streams.close()

    async def _carry_out(self) -> None:
        while chunk := await self._next():
            if self._frames is None:
                self._channel.stdout.write(chunk)
            else:
                for stream, data in self._frames.feed(chunk):
                    self._put(stream, data)
            await self._channel.stdout.drain()
            await self._channel.stderr.drain()

    def _put(self, stream: str, data: bytes) -> None:
        if stream != "stderr":
            self._channel.stdout.write(data)
        elif self.heard is not None:
            self.heard.feed(data)
        else:
            self._channel.stderr.write(data)

    async def _next(self) -> bytes:
        """What comes next; nothing at the end, also of one that its own process does not make."""
        try:
            async with asyncio.timeout(QUIET_SECONDS if self._over else None) as self._patience:
                return await asyncio.get_running_loop().sock_recv(self._streams, CHUNK_BYTES)
        except (TimeoutError, OSError):
            return b""
        finally:
            self._patience = None

    async def _carry_in(self) -> None:
        loop = asyncio.get_running_loop()
        try:
            while True:
                try:
                    chunk = await self._channel.stdin.read(CHUNK_BYTES)
                except asyncssh.TerminalSizeChanged as change:
                    await self._tell({"columns": change.width, "rows": change.height})
                except asyncssh.SignalReceived as signal:
                    await self._tell({"signal": signal.signal})
                except asyncssh.BreakReceived:
                    await self._tell({"signal": "INT"})
                else:
                    if not chunk:
                        break
                    await loop.sock_sendall(self._streams, chunk)
            if self._frames is None:
                await loop.sock_sendall(self._streams, END_OF_INPUT)
            else:
                self._streams.shutdown(socket.SHUT_WR)
        except (OSError, asyncssh.Error):   # it reads no more; its end comes the other way
            pass

    async def _tell(self, said: Mapping[str, object]) -> None:
        if self.talk is not None:
            await self.talk.tell(**said)
