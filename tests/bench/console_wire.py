"""HTTP as the readers of the console's benchmark speak it: plain text on sockets, so that they take little time."""

from __future__ import annotations

import asyncio
import socket
import statistics
import time
from collections.abc import Sequence
from dataclasses import dataclass

CONNECTIONS = 20
"""On which polls come; each waits for its answer before it asks again."""

SMALL_BUFFER_BYTES = 4_096
"""Of who reads nothing: what the kernel keeps for it is not the daemon's."""


@dataclass(frozen=True)
class Address:
    host: str
    port: int
    headers: str = ""
    """Lines of the head, each with its end."""

    @property
    def socket(self) -> tuple[str, int]:
        return self.host, self.port


def request_text(address: Address, path: str, more: str = "") -> bytes:
    return f"GET {path} HTTP/1.1\r\nHost: {address.host}:{address.port}\r\n{address.headers}{more}\r\n".encode()


class Poller:
    """Asks for `/status` so many times a second, as monitors do: without a token."""

    def __init__(self, address: Address, polls_a_second: float) -> None:
        self._address = Address(address.host, address.port)
        self._pause = CONNECTIONS / polls_a_second if polls_a_second else 0.0
        self._began = self._last = 0.0
        self.seconds: list[float] = []

    @property
    def rate(self) -> float:
        """Polls that were answered, for each second."""
        return round(len(self.seconds) / (self._last - self._began), 1) if self._last > self._began else 0.0

    async def serve(self) -> None:
        if not self._pause:
            return
        self._began = time.perf_counter()
        async with asyncio.TaskGroup() as group:
            for number in range(CONNECTIONS):
                group.create_task(self._poll(number * self._pause / CONNECTIONS))

    async def _poll(self, first: float) -> None:
        reader, writer = await asyncio.open_connection(*self._address.socket)
        request, due = request_text(self._address, "/status"), time.perf_counter() + first
        try:
            while True:
                await asyncio.sleep(max(0.0, due - time.perf_counter()))
                began = time.perf_counter()
                writer.write(request)
                await read_answer(reader)
                self._last = time.perf_counter()
                # From when it was due: one that waits for a slow one before it is late as well.
                self.seconds.append(self._last - min(began, due))
                due += self._pause
        finally:
            writer.close()


def reader_of_nothing(address: Address, path: str) -> socket.socket:
    """A connection on which somebody asks to follow something, and takes nothing of it."""
    made = socket.socket()
    made.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, SMALL_BUFFER_BYTES)
    made.connect(address.socket)
    made.sendall(request_text(address, path, "Accept: text/event-stream\r\n"))
    return made


async def read_answer(reader: asyncio.StreamReader) -> bytes:
    """The body of an answer that says its length.

    Raises:
        AssertionError: It is no good one.
    """
    head = await reader.readuntil(b"\r\n\r\n")
    assert head.startswith(b"HTTP/1.1 200"), head
    length = next(line for line in head.lower().split(b"\r\n") if line.startswith(b"content-length:"))
    return await reader.readexactly(int(length.partition(b":")[2]))


def p(values: Sequence[float], percent: int) -> float:
    """A percentile."""
    return round(statistics.quantiles(values, n=100, method="inclusive")[percent - 1], 4)
