"""Every shape of tests/conformance/cases.py against the real router; an application writes down what it hears."""

from __future__ import annotations

import asyncio
import re
import ssl
from collections.abc import AsyncIterator, Iterator
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath

import pytest
from h2.config import H2Configuration
from h2.connection import H2Connection
from h2.events import ConnectionTerminated, ResponseReceived, StreamReset
from h2.exceptions import ProtocolError
from router_stand import Stand, free_port, route, router, routes, running_router

from deployd.router.certificate import ensure_default_certificate
from deployd.router.control import Router
from deployd.router.table import Target
from tests.conformance.cases import CASES, NEITHER, PASSED, REFUSED, STREAMS, Case, Stream, table

__all__ = ["router"]
SLOW_CLIENTS, RESETS = 300, 3000
QUIET_SECONDS = 1.0
VISIT = b"GET / HTTP/1.1\r\nHost: shop.test\r\nConnection: close\r\n\r\n"
STATUS = re.compile(rb"HTTP/1\.1 ([0-9]{3}) ")
DOCS = Path(__file__).parents[2] / "docs" / "conformance.md"


@pytest.fixture(scope="module")
def stand(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stand]:
    """Its log has errors: clients that speak nonsense are told so there."""
    folder = tmp_path_factory.mktemp("tls")
    certificate, key = asyncio.run(ensure_default_certificate(folder))
    with running_router(
        https_port=free_port(), certificate=PurePosixPath(certificate), certificate_key=PurePosixPath(key),
    ) as found:
        asyncio.run(_complete(found))
        yield found


async def _complete(stand: Stand) -> None:
    async with stand.router() as router:
        await router.complete()


@dataclass
class Listener:
    """A server that believes whatever framing it is told, as careless applications do."""

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
                if "transfer-encoding" in fields:
                    while size := int((await reader.readline()).split(b";")[0], 16):
                        await reader.readexactly(size + 2)
                    await reader.readuntil(b"\r\n")
                elif "content-length" in fields:
                    await reader.readexactly(int(fields["content-length"]))
                self.heads.append(head)   # of a whole request: one that is cut short ends with its connection
                writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok")
        writer.close()


@asynccontextmanager
async def listener() -> AsyncIterator[Listener]:
    found = Listener()
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


async def statuses(stand: Stand, request: bytes) -> list[int]:
    """Of all answers, until the router closes or says nothing for a second."""
    reader, writer = await asyncio.open_connection("127.0.0.1", stand.port)
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


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
async def test_the_router_and_the_application_never_disagree(stand: Stand, router: Router, case: Case) -> None:
    async with listener() as heard:
        shop = route("shop.test", Target("127.0.0.1", heard.port))
        await router.switch(routes("conformance/main", str(heard.port), shop))
        got = await statuses(stand, case.request)
        if case.verdict == REFUSED:
            assert heard.heads == []
            assert got, "it is told, and not only closed"
            assert got[0] >= 400, got
        elif case.verdict == PASSED:
            assert got == [200] * case.answered
        else:
            assert case.verdict == NEITHER
        passed = [status for status in got if status == 200]
        assert len(heard.heads) == len(passed), "one of them saw a request that the other did not"
        if case.path:
            assert heard.heads[0].split(" ")[1] == case.path
        for head in heard.heads:
            _assert_framed_anew(head)


@pytest.mark.parametrize("case", STREAMS, ids=lambda case: case.name)
async def test_streams_of_http_2_become_one_request_or_none(stand: Stand, router: Router, case: Stream) -> None:
    async with listener() as heard:
        shop = route("shop.test", Target("127.0.0.1", heard.port), scheme="https")
        await router.switch(routes("conformance/main", str(heard.port), shop))
        status = await _stream_status(stand, case)
        if case.verdict == REFUSED:
            assert heard.heads == []
            assert status is None or status >= 400
        elif case.verdict == PASSED:
            assert status == 200
        assert len(heard.heads) == (1 if status == 200 else 0)
        for head in heard.heads:
            _assert_framed_anew(head)


async def _stream_status(stand: Stand, case: Stream) -> int | None:
    """None: the stream or the connection was ended without an answer, as HTTP/2 wants it of what is malformed."""
    client = H2Connection(H2Configuration(validate_outbound_headers=False, normalize_outbound_headers=False))
    async with http_2(stand) as (reader, writer):
        client.initiate_connection()
        client.send_headers(1, case.headers, end_stream=not case.body)
        if case.body:
            client.send_data(1, case.body, end_stream=True)
        writer.write(client.data_to_send())
        with suppress(TimeoutError, ConnectionError, ProtocolError):
            while True:
                async with asyncio.timeout(QUIET_SECONDS):
                    raw = await reader.read(65_536)
                if not raw:
                    return None
                for event in client.receive_data(raw):
                    if isinstance(event, ResponseReceived):
                        return int(dict(event.headers)[b":status"])
                    if isinstance(event, StreamReset | ConnectionTerminated):
                        return None
    return None


@asynccontextmanager
async def http_2(stand: Stand) -> AsyncIterator[tuple[asyncio.StreamReader, asyncio.StreamWriter]]:
    tls = ssl.create_default_context()
    tls.check_hostname, tls.verify_mode = False, ssl.CERT_NONE
    tls.set_alpn_protocols(["h2"])
    reader, writer = await asyncio.open_connection(
        "127.0.0.1", stand.config.https_port, ssl=tls, server_hostname="shop.test")
    try:
        yield reader, writer
    finally:
        writer.close()
        with suppress(ConnectionError, ssl.SSLError):
            await writer.wait_closed()


async def test_streams_that_are_begun_and_given_up_cost_little_and_others_are_served(
    stand: Stand, router: Router,
) -> None:
    """Rapid reset, CVE-2023-44487: the client asks and takes it back, as fast as it can."""
    async with listener() as heard:
        await router.switch(routes(
            "conformance/main", str(heard.port), route("shop.test", Target("127.0.0.1", heard.port), scheme="https"),
            route("shop.test", Target("127.0.0.1", heard.port)),
        ))
        client = H2Connection(H2Configuration())
        async with http_2(stand) as (_, writer):
            client.initiate_connection()
            with suppress(ConnectionError, ProtocolError):   # it may have enough of this
                for number in range(RESETS):
                    client.send_headers(2 * number + 1, STREAMS[0].headers, end_stream=True)
                    client.reset_stream(2 * number + 1)
                    writer.write(client.data_to_send())
                    if number % 100 == 0:
                        await writer.drain()
                        assert await statuses(stand, VISIT) == [200]
        assert await statuses(stand, VISIT) == [200]


async def test_clients_that_never_finish_their_heads_are_let_go_and_others_are_served(
    stand: Stand, router: Router,
) -> None:
    """Slow-loris."""
    async with listener() as heard, AsyncExitStack() as stack:
        await router.switch(routes("conformance/main", str(heard.port),
                                   route("shop.test", Target("127.0.0.1", heard.port))))
        slow = []
        for _ in range(SLOW_CLIENTS):
            reader, writer = await asyncio.open_connection("127.0.0.1", stand.port)
            stack.callback(writer.close)
            writer.write(b"GET / HTTP/1.1\r\nHost: shop.test\r\nX-A: ")
            slow.append(reader)
        assert await statuses(stand, VISIT) == [200]
        async with asyncio.timeout(90):
            for reader in slow:
                with suppress(ConnectionError):   # it is reset, which frees its memory at once
                    await reader.read()
        assert len(heard.heads) == 1


def _assert_framed_anew(head: str) -> None:
    lines = head.split("\r\n")
    names = [line.partition(":")[0].lower() for line in lines[1:] if line]
    assert not {"content-length", "transfer-encoding"} <= set(names)
    for name in ("host", "content-length", "transfer-encoding", "x-client-ip"):
        assert names.count(name) <= 1, name
    assert "\n" not in head.replace("\r\n", ""), "lines end as they should"
    assert "\0" not in head
    assert "X-Client-IP: 127.0.0.1" in lines
    assert "upgrade" not in names
    assert "http2-settings" not in names or "Connection: upgrade" not in lines


def test_the_document_has_every_case() -> None:
    assert [line for line in DOCS.read_text().splitlines() if line.startswith("| ") and line in table()] == table()
