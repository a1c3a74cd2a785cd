"""Messages between the daemon and a reader: one letter, a length, and so many bytes.

    daemon      ─► reader    ASK what to read (pickled: a reader believes the daemon), FILE contents that it asked for
    reader      ─► daemon    WANT ids of objects, a line each; ANSWER in JSON; BROKEN a traceback, our own mistake
    fork server ─► daemon    ENDED why a reader is no more

What comes from a reader is only ever data, of a known shape and of bounded size: whoever took a reader over has gained
nothing but the answer about a repository of its own.
"""

from __future__ import annotations

import socket
import struct
from typing import Any

HEAD = struct.Struct("!cQ")
ASK, FILE, WANT, ANSWER, BROKEN, ENDED = b"a", b"f", b"w", b"r", b"b", b"e"


def message(kind: bytes, body: bytes) -> bytes:
    return HEAD.pack(kind, len(body)) + body


def split_head(head: bytes) -> tuple[bytes, int]:
    """(kind, length of the body)"""
    kind, length = HEAD.unpack(head)
    return kind, length


class Line:
    """A reader's end: it has nothing else to do than to wait."""

    def __init__(self, connection: socket.socket) -> None:
        self._connection = connection

    def send(self, kind: bytes, body: bytes) -> None:
        self._connection.sendall(message(kind, body))

    def receive(self, expected: bytes) -> bytes:
        """
        Raises:
            EOFError: The daemon has hung up.
        """
        kind, length = split_head(self._exactly(HEAD.size))
        assert kind == expected, (kind, expected)
        return self._exactly(length)

    def _exactly(self, length: int) -> bytes:
        received = bytearray(length)
        view: Any = memoryview(received)
        while view:
            count = self._connection.recv_into(view)
            if not count:
                raise EOFError
            view = view[count:]
        return bytes(received)
