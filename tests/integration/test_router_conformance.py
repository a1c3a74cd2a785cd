"""Every shape of support/conformance/cases.py against the real router; an application writes down what it hears."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pytest
from h2.config import H2Configuration
from h2.connection import H2Connection
from h2.events import ConnectionTerminated, ResponseReceived, StreamReset
from h2.exceptions import ProtocolError

from deployd.router.control import Router
from deployd.router.table import Target
from tests.support.conformance.cases import (
    CASES,
    NEITHER,
    PASSED,
    REFUSED,
    STREAMS,
    Case,
    Stream,
    spelled,
    spellings,
    table,
)
from tests.support.conformance.talk import QUIET_SECONDS, http_2, listener, statuses
from tests.support.router_stand import Stand, route, router, routes, secure_router

__all__ = ["router"]
DOCS = Path(__file__).parents[2] / "docs" / "conformance.md"


@pytest.fixture(scope="module")
def stand(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stand]:
    """Its log has errors: clients that speak nonsense are told so there."""
    with secure_router(tmp_path_factory.mktemp("tls")) as found:
        yield found


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
async def test_the_router_and_the_application_never_disagree(stand: Stand, router: Router, case: Case) -> None:
    async with listener() as heard:
        shop = route("shop.test", Target("127.0.0.1", heard.port))
        await router.switch(routes("conformance/main", str(heard.port), shop))
        got = await statuses(stand.port, case.request)
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


async def test_no_spelling_of_transfer_encoding_reaches_the_application_beside_a_length(
    stand: Stand, router: Router,
) -> None:
    async with listener() as heard:
        shop = route("shop.test", Target("127.0.0.1", heard.port))
        await router.switch(routes("conformance/main", str(heard.port), shop))
        for line in spellings():
            before = len(heard.heads)
            got = await statuses(stand.port, spelled(line))
            assert got, line
            assert len(heard.heads) - before == got.count(200), line
    for head in heard.heads:
        _assert_framed_anew(head)
        assert "chunked" not in head.lower(), "a length stands there"


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
    async with http_2(stand.config.https_port) as (reader, writer):
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
    assert f"{len(spellings())} spellings" in DOCS.read_text()
    assert [line for line in DOCS.read_text().splitlines() if line.startswith("| ") and line in table()] == table()
