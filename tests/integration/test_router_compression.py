"""Which answers are compressed, and for whom."""

from __future__ import annotations

import asyncio
import zlib

import aiohttp
import pytest
from aiohttp import web

from deployd.project.model import RouteCache
from deployd.router.control import Router
from tests.support.router_stand import Stand, ask, backend, docker, route, router, routes, stand, unique

__all__ = ["router", "stand"]

TEXT = "All work and no play makes Jack a dull boy. " * 200
BOTH, GZIP = "Accept-Encoding: br, gzip\r\n", "Accept-Encoding: gzip\r\n"


def page(content_type: str, **headers: str):  # type: ignore[no-untyped-def]
    async def answer(request: web.Request) -> web.Response:
        asked.append(request.headers.get("Accept-Encoding"))
        return web.Response(text=TEXT, content_type=content_type, headers=headers)

    asked: list[str | None] = []
    answer.asked = asked  # type: ignore[attr-defined]
    return answer


@pytest.mark.parametrize("cached", [False, True])
async def test_text_is_compressed_for_who_accepts_it(stand: Stand, router: Router, *, cached: bool) -> None:
    environment, host = unique("text")
    handlers = {
        "/html": page("text/html", ETag='"1"', **{"Cache-Control": "max-age=60"}), "/json": page("application/json"),
        "/css": page("text/css"), "/png": page("image/png"), "/zip": page("application/zip"),
    }
    async with backend("shop", routes=handlers) as shop:
        await router.switch(routes(environment, "1", route(host, shop.target, cache=RouteCache(enabled=cached))))
        for path, compressed in (("/html", True), ("/json", True), ("/css", True), ("/png", False), ("/zip", False)):
            plain = await ask(stand, host, path)
            found = await ask(stand, host, path, headers=GZIP)
            assert "content-encoding" not in plain.headers
            assert plain.body.decode() == TEXT
            assert found.headers.get("content-encoding") == ("gzip" if compressed else None), path
            assert (plain.headers.get("vary"), found.headers.get("vary")) == (("Accept-Encoding",) * 2 if compressed
                                                                               else (None, None))
            if compressed:
                assert zlib.decompress(found.body, 31).decode() == TEXT
        brotli = await ask(stand, host, "/html", headers=BOTH)
        assert (brotli.headers["content-encoding"], brotli.headers["etag"]) == ("br", 'W/"1"')
        assert len(brotli.body) < 300


async def test_what_the_application_has_compressed_stays_as_it_is(stand: Stand, router: Router) -> None:
    async def packed(_: web.Request) -> web.Response:
        body = zlib.compress(TEXT.encode(), wbits=31)
        return web.Response(body=body, content_type="text/html", headers={"Content-Encoding": "gzip"})

    environment, host = unique("packed")
    async with backend("shop", routes={"/": packed}) as shop:
        await router.switch(routes(environment, "1", route(host, shop.target)))
        found = await ask(stand, host, headers=BOTH)
    assert (found.headers["content-encoding"], zlib.decompress(found.body, 31).decode()) == ("gzip", TEXT)


@pytest.mark.parametrize(("headers", "compressed"), [
    ("Cookie: a=b\r\n", True),
    ("Cookie: a=b\r\nSec-Fetch-Site: same-origin\r\n", True),
    ("Cookie: a=b\r\nSec-Fetch-Site: cross-site\r\nSec-Fetch-Dest: document\r\n", True),
    ("Sec-Fetch-Site: cross-site\r\n", True),
    ("Cookie: a=b\r\nSec-Fetch-Site: cross-site\r\nSec-Fetch-Dest: image\r\n", False),
    ("Cookie: a=b\r\nSec-Fetch-Site: same-site\r\nSec-Fetch-Dest: iframe\r\n", False),
    ("Authorization: Bearer x\r\nSec-Fetch-Site: cross-site\r\n", False),
])
async def test_the_length_of_an_answer_tells_other_sites_nothing_of_a_visitors_secrets(
    stand: Stand, router: Router, headers: str, *, compressed: bool,
) -> None:
    environment, host = unique("breach")
    html = page("text/html")
    async with backend("shop", routes={"/": html}) as shop:
        await router.switch(routes(environment, "1", route(host, shop.target)))
        found = await ask(stand, host, headers=headers + BOTH)
    assert ("content-encoding" in found.headers) == compressed
    assert html.asked == ["br, gzip" if compressed else None]


async def test_a_compressed_page_still_arrives_piece_by_piece(stand: Stand, router: Router) -> None:
    go_on = asyncio.Event()

    async def slow(request: web.Request) -> web.StreamResponse:
        answer = web.StreamResponse(headers={"Content-Type": "text/html"})
        await answer.prepare(request)
        await answer.write(b"one")
        await go_on.wait()
        await answer.write(b"two")
        return answer

    environment, host = unique("pieces")
    async with backend("shop", routes={"/": slow}) as shop, aiohttp.ClientSession() as session:
        await router.switch(routes(environment, "1", route(host, shop.target)))
        async with session.get(stand.url(), headers={"Host": host, "Accept-Encoding": "gzip"}) as answer:
            assert answer.headers["Content-Encoding"] == "gzip"
            assert await asyncio.wait_for(answer.content.readexactly(3), 5) == b"one"
            go_on.set()
            assert await asyncio.wait_for(answer.content.readexactly(3), 5) == b"two"


def test_the_image_has_what_the_configuration_loads() -> None:
    assert "brotli" in docker("run", "--rm", "deployd/router:1", "ls", "/usr/lib/nginx/modules")
