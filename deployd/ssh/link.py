"""The link between `deployd-ssh` and the daemon: messages with sockets in them, over a Unix socket of its own.

    deployd-ssh ──ask──► daemon    may this key do that? It decides, opens what is needed (git, a command in a
                ◄─answer──         container, a connection to a service) and hands the socket over
    bytes of a session             over that socket: past the link, and past the daemon where it does not end there

So the process that strangers speak with needs neither root, nor Docker's socket, nor a way into containers' networks;
and a session whose socket does not end in the daemon outlives it.

One message is one packet (`SOCK_SEQPACKET`), JSON:

    {"id": 7, "ask": "git", "values": {…}}   begins a conversation; ids are counted by who asks
    {"id": 7, "answer": {…}}                 its first answer, perhaps with sockets
    {"id": 7, "refused": {what, where, evidence, hint}}   its end, in place of anything else
    {"id": 7, "note": {…}}                   further ones, in both directions, as long as it lasts
    {"id": 7, "end": {…}}                    its end, from the daemon
    {"id": 7, "leave": true}                 nobody is interested any more, from who asked

Each side reads until the other one closes. A message that is too large, or is none, ends the link: both are ours.
"""

from __future__ import annotations

import asyncio
import json
import socket
import struct
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

VERSION = 1
"""Of the protocol. `deployd-ssh` begins with `hello`, and the daemon refuses one that it does not speak."""
LARGEST_MESSAGE_BYTES = 100_000
MOST_SOCKETS = 4
MOST_LATE = 10_000
Values = dict[str, Any]


class LinkLost(Exception):
    """The daemon has gone, or is not there."""


@dataclass(frozen=True, slots=True)
class Message:
    id: int
    kind: str
    """`ask`, `answer`, `refused`, `note`, `end`, `leave`"""
    values: Values
    verb: str = ""
    """Of an `ask`."""
    sockets: tuple[socket.socket, ...] = ()


class Link:
    """One connection."""

    def __init__(self, channel: socket.socket, *, takes_sockets: bool = True) -> None:
        """
        Args:
            takes_sockets: Without it a message that brings any ends the link, and the kernel closes them.
        """
        channel.setblocking(False)
        self._channel = channel
        self._most_sockets = MOST_SOCKETS if takes_sockets else 0
        self._sending = asyncio.Lock()
        self._late: deque[bytes] = deque()
        """What did not fit when it was said by somebody who cannot wait."""

    @classmethod
    def pair(cls) -> tuple[Link, Link]:
        one, other = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        return cls(one), cls(other)

    async def send(self, message: Message) -> None:
        """
        Raises:
            LinkLost: There is nobody any more.
        """
        body = refuse_too_long(message)
        async with self._sending:
            while self._late:
                await self._send(self._late.popleft())
            await self._send(body, message.sockets)

    def leave(self, number: int) -> None:
        """Say that nobody is interested in a conversation any more; said later when it cannot be said now."""
        body = _write(Message(number, "leave", {}))
        if len(self._late) > MOST_LATE:   # nobody has read for long
            self.close()
        try:
            if self._sending.locked() or self._late:
                self._late.append(body)
            else:
                self._channel.send(body)
        except BlockingIOError:
            self._late.append(body)
        except OSError:   # there is nobody to be told
            pass

    async def _send(self, body: bytes, sockets: Sequence[socket.socket] = ()) -> None:
        while True:
            try:
                socket.send_fds(self._channel, [body], [item.fileno() for item in sockets])
            except BlockingIOError:
                await self._wait_until(writable=True)
            except OSError as error:
                raise LinkLost(str(error)) from None
            else:
                return

    async def receive(self) -> Message | None:
        """The next one; None when the other side has gone.

        Raises:
            LinkLost: It says what cannot be understood.
        """
        while True:
            try:
                body, numbers, flags, _ = socket.recv_fds(
                    self._channel, LARGEST_MESSAGE_BYTES, self._most_sockets, socket.MSG_CMSG_CLOEXEC,
                )
            except BlockingIOError:
                await self._wait_until(writable=False)
            except OSError:
                return None
            else:
                sockets = tuple(socket.socket(fileno=number) for number in numbers)
                if not body or flags & (socket.MSG_TRUNC | socket.MSG_CTRUNC):
                    _close(sockets)
                    return None
                return _read(body, sockets)

    def close(self) -> None:
        """May be called again."""
        self._channel.close()

    def peer_uid(self) -> int:
        """Whose process is at the other end, as the kernel says."""
        _, uid, _ = struct.unpack("3i", self._channel.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, 12))
        return int(uid)

    async def _wait_until(self, *, writable: bool) -> None:
        if self._channel.fileno() < 0:
            raise LinkLost("closed")
        await until_ready(self._channel, writable=writable)


async def until_ready(channel: socket.socket, *, writable: bool = False) -> None:
    """Wait until there is something to read from a socket, or room to write to it."""
    loop, number = asyncio.get_running_loop(), channel.fileno()
    ready = asyncio.Event()
    if writable:
        loop.add_writer(number, ready.set)
    else:
        loop.add_reader(number, ready.set)
    try:
        await ready.wait()
    finally:
        if writable:
            loop.remove_writer(number)
        else:
            loop.remove_reader(number)


def refuse_too_long(message: Message) -> bytes:
    """The message as it goes over the link.

    Raises:
        ValueError: It does not.
    """
    body = _write(message)
    if len(body) > LARGEST_MESSAGE_BYTES:
        raise ValueError(f"a message of {len(body)} bytes")
    return body


def _write(message: Message) -> bytes:
    if message.kind == "ask":
        return json.dumps({"id": message.id, "ask": message.verb, "values": message.values}).encode()
    return json.dumps({"id": message.id, message.kind: message.values}).encode()


def _read(body: bytes, sockets: tuple[socket.socket, ...]) -> Message:
    try:
        found = json.loads(body)
        number = found["id"]
        if not isinstance(number, int):
            raise TypeError(number)
        if "ask" in found:
            return Message(number, "ask", dict(found["values"]), str(found["ask"]), sockets)
        for kind in ("answer", "refused", "note", "end", "leave"):
            if kind in found:
                return Message(number, kind, dict(found[kind]), sockets=sockets)
        raise KeyError("kind")
    except (ValueError, TypeError, KeyError, RecursionError) as error:
        _close(sockets)
        raise LinkLost(f"not understood: {error}") from None


def _close(sockets: Sequence[socket.socket]) -> None:
    for item in sockets:
        item.close()
