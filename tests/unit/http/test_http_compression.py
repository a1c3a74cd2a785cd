"""Who takes gzip gets it, and nobody else; what is small stays as it is."""

from __future__ import annotations

import gzip

import pytest
from aiohttp import web
from aiohttp.test_utils import TestClient, TestServer

from deployd.http.compression import IN_A_THREAD_BYTES, compressed

LONG = "a row of a table\n" * IN_A_THREAD_BYTES


@pytest.mark.parametrize(("accepted", "is_compressed"), [
    ("gzip", True), ("gzip, deflate, br", True), ("br;q=1, GZIP;q=0.5", True), ("identity", False), ("", False),
    ("gzip;q=0", False), ("gzip; q=0.0, br", False), ("x-gzip2", False),
])
@pytest.mark.parametrize("text", [LONG, LONG[:5_000]])
async def test_who_takes_gzip_gets_it(accepted: str, is_compressed: bool, text: str) -> None:
    async def answer(request: web.Request) -> web.Response:
        return await compressed(request, web.Response(text=text, content_type="text/html"))

    app = web.Application()
    app.add_routes([web.get("/", answer)])
    async with TestClient(TestServer(app), auto_decompress=False) as client:
        found = await client.get("/", headers={"Accept-Encoding": accepted})
        body = await found.read()
        assert ("Content-Encoding" in found.headers) is is_compressed
        assert found.headers["Vary"] == "Accept-Encoding"
        assert int(found.headers["Content-Length"]) == len(body)
        assert (gzip.decompress(body) if is_compressed else body).decode() == text
        head = await client.head("/", headers={"Accept-Encoding": accepted})
        assert (await head.read(), int(head.headers["Content-Length"])) == (b"", len(body))


async def test_what_is_small_is_not_worth_it() -> None:
    async def answer(request: web.Request) -> web.Response:
        return await compressed(request, web.Response(text="short"))

    app = web.Application()
    app.add_routes([web.get("/", answer)])
    async with TestClient(TestServer(app), auto_decompress=False) as client:
        found = await client.get("/", headers={"Accept-Encoding": "gzip"})
        assert (await found.text(), "Content-Encoding" in found.headers) == ("short", False)
