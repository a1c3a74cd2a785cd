"""An application that writes down what it hears, and clients that say what they are told to."""

from __future__ import annotations

import asyncio
import re
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field

QUIET_SECONDS = 1.0
STATUS = re.compile(rb"HTTP/1\.1 ([0-9]{3}) ")


@dataclass
class Listener:
    """A server that believes whatever framing it is told, as careless applications do."""

    at_once: bool = False
    """Answers before it has read the body, and takes what it reads next for a request."""
    heads: list[str] = field(default_factory=list)
    port: int = 0
    writers: list[asyncio.StreamWriter] = field(default_factory=list)

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.writers.append(writer)
        with suppress(asyncio.IncompleteReadError, ConnectionError):
            while True:
                head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1")
                fields = {name.strip().lower(): value.strip() for name, _, value in
                          (line.partition(":") for line in head.split("\r\n")[1:])}
                if self.at_once:
                    pass
                elif "transfer-encoding" in fields:
                    while size := int((await reader.readuntil(b"\n")).split(b";")[0], 16):
                        await reader.readexactly(size + 2)
                    await reader.readuntil(b"\r\n")
                elif "content-length" in fields:
                    await reader.readexactly(int(fields["content-length"]))
                self.heads.append(head)   # of a whole request: one that is cut short ends with its connection
                writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok")
        writer.close()


@asynccontextmanager
async def listener(*, at_once: bool = False) -> AsyncIterator[Listener]:
    found = Listener(at_once)
    server = await asyncio.start_server(found.serve, "127.0.0.1", 0)
    found.port = server.sockets[0].getsockname()[1]
    try:
        yield found
    finally:
        server.close()
        for writer in found.writers:   # the router keeps connections for the next request
            writer.close()
            with suppress(ConnectionError):
                await writer.wait_closed()
        await server.wait_closed()


async def statuses(port: int, request: bytes) -> list[int]:
    """Of all answers, until the router closes or says nothing for a second."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    raw = b""
    try:
        writer.write(request)
        with suppress(TimeoutError, ConnectionError):
            while True:
                async with asyncio.timeout(QUIET_SECONDS):
                    piece = await reader.read(65_536)
                if not piece:
                    break
                raw += piece
    finally:
        writer.close()
        with suppress(ConnectionError):
            await writer.wait_closed()
    return [int(status) for status in STATUS.findall(raw)]


@asynccontextmanager
async def http_2(port: int) -> AsyncIterator[tuple[asyncio.StreamReader, asyncio.StreamWriter]]:
    tls = ssl.create_default_context()
    tls.check_hostname, tls.verify_mode = False, ssl.CERT_NONE
    tls.set_alpn_protocols(["h2"])
    reader, writer = await asyncio.open_connection(
        "127.0.0.1", port, ssl=tls, server_hostname="shop.test")
    try:
        yield reader, writer
    finally:
        writer.close()
        with suppress(ConnectionError, ssl.SSLError):
            await writer.wait_closed()
