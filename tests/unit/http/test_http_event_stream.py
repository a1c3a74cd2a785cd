"""Server-sent events over a real socket."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator
from contextlib import suppress

import pytest
from aiohttp import ClientError, web
from aiohttp.test_utils import TestClient, TestServer

from deployd.http.event_stream import STILL_HERE, Event, Streams


@pytest.mark.parametrize(("event", "encoded"), [
    (Event("line", "text", "7"), b"event: line\nid: 7\ndata: text\n\n"),
    (Event("end", ""), b"event: end\ndata: \n\n"),
    (Event("line", "a\nid: 9\r\nb\rdata: c"), b"event: line\ndata: a\ndata: id: 9\ndata: b\ndata: data: c\n\n"),
    (Event("line", "\ud800"), b"event: line\ndata: ?\n\n"),
])
def test_an_event_is_encoded_and_its_text_stays_text(event: Event, encoded: bytes) -> None:
    assert event.encoded() == encoded


async def test_events_are_sent_as_they_come_and_streams_can_be_ended() -> None:
    streams, closed = Streams(), asyncio.Event()

    async def events() -> AsyncGenerator[Event | None, None]:
        try:
            yield Event("one", "1", "1")
            yield None
            await asyncio.sleep(3600)
        finally:
            closed.set()

    async def handle(request: web.Request) -> web.StreamResponse:
        return await streams.answer(request, events())

    app = web.Application()
    app.add_routes([web.get("/events", handle)])
    async with TestClient(TestServer(app)) as client, client.get("/events") as answer:
        assert answer.content_type == "text/event-stream"
        assert await answer.content.readexactly(13) == b"retry: 1000\n\n"
        told = b"event: one\nid: 1\ndata: 1\n\n" + STILL_HERE
        assert await answer.content.readexactly(len(told)) == told
        streams.end()
        await asyncio.wait_for(closed.wait(), 5)
        with suppress(ClientError):   # in order or not: the browser comes back
            assert await answer.content.read() == b""


async def test_who_goes_away_is_noticed_and_costs_nothing_more() -> None:
    streams, closed = Streams(), asyncio.Event()

    async def events() -> AsyncGenerator[Event | None, None]:
        try:
            while True:
                yield None
                await asyncio.sleep(0.01)
        finally:
            closed.set()

    async def handle(request: web.Request) -> web.StreamResponse:
        return await streams.answer(request, events())

    app = web.Application()
    app.add_routes([web.get("/events", handle)])
    async with TestClient(TestServer(app)) as client:
        answer = await client.get("/events")
        answer.close()
        await asyncio.wait_for(closed.wait(), 5)
