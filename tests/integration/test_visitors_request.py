"""Asking as visitors ask, of servers that do not mean well."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web

from deployd.process import run
from deployd.release.answers.visit import visit_containers, visit_router
from deployd.router.table import Access, Route, RouteSet, Target
from deployd.settings import RouterSettings

Answer = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]
HEAD = b"HTTP/1.1 400 Bad Request\r\nContent-Type: text/plain\r\n"


@asynccontextmanager
async def listening(answer: Answer, tls: ssl.SSLContext | None = None) -> Any:
    """A server's port."""
    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            await reader.readuntil(b"\r\n\r\n")
            await answer(reader, writer)
        except ConnectionError:
            pass
        finally:
            writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0, ssl=tls)
    try:
        yield server.sockets[0].getsockname()[1]
    finally:
        server.close()


def routes(port: int, **more: Any) -> RouteSet:
    route = Route("http", "shop.test", "/", "upstream", (Target("127.0.0.1", port),), original_url="http://{default}/")
    return RouteSet("shop/main", "1", (route,), **more)


def says(*pieces: bytes, pause: float = 0, then: float = 0) -> Answer:
    async def answer(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        for piece in pieces:
            writer.write(piece)
            await writer.drain()
            await asyncio.sleep(pause)
        await asyncio.sleep(then)
    return answer


@pytest.mark.parametrize(("answer", "status", "said"), [
    (says(then=9), 0, "no answer within 0.5 s"),
    (says(b""), 0, "no answer (ServerDisconnectedError)"),
    (says(b"SSH-2.0-x\r\n"), 0, "no answer ("),
    (says(b"HTTP/1.1 200 OK\r\nX: " + b"x" * 99_999 + b"\r\n\r\n"), 0, "no answer ("),
    (says(HEAD + b"Content-Length: 99999999\r\n\r\nfirst\n", then=9), 400, "first"),
    (says(HEAD + b"Transfer-Encoding: chunked\r\n\r\nzz\r\n"), 0, "no answer ("),
    (says(HEAD + b"Content-Encoding: gzip\r\n\r\nnot packed\n"), 400, "not packed"),
    (says(HEAD + b"\r\n", *[b"line\n" * 9000] * 9, then=9), 400, "line"),
    (says(b"HTTP/1.1 302 Found\r\nLocation: http://[::x/\r\nContent-Length: 0\r\n\r\n"), 302, ""),
], ids=["hangs", "closes", "no HTTP", "a long head", "never ends", "wrong chunks", "wrong packing", "much", "no URL"])
async def test_whatever_is_behind_it_something_is_said_soon(answer: Answer, status: int, said: str) -> None:
    async with asyncio.timeout(60), listening(answer) as port:
        [visit] = await visit_containers(routes(port), RouterSettings(), 0.5)
    assert (visit.url, visit.status) == ("http://shop.test/", status)
    assert said in (visit.why or " ".join(visit.lines))


async def test_it_is_asked_by_its_own_host_straight_and_through_the_router() -> None:
    seen: list[tuple[str, str | None, str | None]] = []

    async def page(request: web.Request) -> web.Response:
        seen.append((request.host, request.headers.get("X-Forwarded-Proto"), request.headers.get("X-Original-Route")))
        return web.Response(status=301, headers={"Location": f"http://{request.host}/"})

    application = web.Application()
    application.router.add_get("/", page)
    runner = web.AppRunner(application)
    await runner.setup()
    try:
        site = web.TCPSite(runner, "127.0.0.1", 0)
        await site.start()
        port = runner.addresses[0][1]
        settings = RouterSettings(http_port=port)
        for visits in (
            await visit_containers(routes(port), settings), await visit_router(routes(port), settings),
            await visit_router(routes(port, access=Access({"ada": "$6$x"})), settings),
        ):
            [visit] = visits
            assert (visit.status, visit.in_circles, visit.url) == (301, True, f"http://shop.test:{port}/")
    finally:
        await runner.cleanup()
    own = f"shop.test:{port}"
    straight = (own, "http", "http://{default}/")
    assert seen == [straight, (own, None, None), straight], "nobody of ours has a password"


async def test_over_tls_it_is_asked_by_its_own_name_whatever_the_certificate_says(tmp_path: Path) -> None:
    names: list[str | None] = []
    await run(
        "openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-days", "1",
        "-subj", "/CN=other.test", "-keyout", str(tmp_path / "key"), "-out", str(tmp_path / "certificate"),
    )
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(tmp_path / "certificate", tmp_path / "key")
    context.sni_callback = lambda _, name, __: names.append(name)
    async with listening(says(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n"), context) as port:
        found = routes(port)
        found = replace(found, routes=(replace(found.routes[0], scheme="https"),))
        [visit] = await visit_router(found, RouterSettings(https_port=port))
    assert (visit.url, visit.status, visit.why) == (f"https://shop.test:{port}/", 200, "")
    assert names == ["shop.test"]
