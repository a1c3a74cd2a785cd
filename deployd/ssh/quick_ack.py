"""Acknowledging what a client sends at once, as long as it introduces itself.

OpenSSH sends two small packets in a row, twice, and the kernel keeps back the second until the first is acknowledged
(Nagle); ours acknowledges a packet that needs no answer only after 40 ms. That is most of what `ssh … true` would take.
"""

from __future__ import annotations

import asyncio
import socket
from contextlib import suppress

EVERY_SECONDS = 0.002
MOST_TIMES = 100
"""An honest client is through in some 20; others need not be fast."""


class QuickAck:
    def __init__(self, channel: socket.socket | None) -> None:
        self._channel = channel
        self._times = 0
        self._next: asyncio.TimerHandle | None = None
        self._again()

    def stop(self) -> None:
        """May be called again."""
        self._channel = None
        if self._next is not None:
            self._next.cancel()

    def _again(self) -> None:
        if self._channel is None or self._times >= MOST_TIMES:
            return
        self._times += 1
        with suppress(OSError):
            self._channel.setsockopt(socket.IPPROTO_TCP, socket.TCP_QUICKACK, 1)   # also sends what is owed
            self._next = asyncio.get_running_loop().call_later(EVERY_SECONDS, self._again)
