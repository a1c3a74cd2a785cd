# ruff: noqa: E501   rows of tables are lines
"""Pages that are put together (SSI), answers that never end: what they cost, and what they can show."""

from __future__ import annotations

import asyncio
import resource

import aiohttp
import pytest
import pytest_asyncio
from yarl import URL

from deployd.router_process.container import router_name
from deployd.router_process.nginx_conf import HIDDEN_VARIABLES, LUA_VARIABLES
from tests.support.developer import APP, Developer, MakeDeveloper
from tests.support.router_stand import docker

SERVER = """\
import os
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qs, urlsplit

asked = 0


class Page(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_GET(self):
        global asked
        asked += 1
        url = urlsplit(self.path)
        query = parse_qs(url.query)
        if url.path == "/count":
            text, asked = str(asked), 0
        elif url.path.startswith("/self"):
            text = "p" + "".join(f'<!--#include virtual="/self{n}?{url.query}" -->' for n in range(int(query["times"][0])))
        else:
            text = query.get("text", ["page"])[0]
        if url.path == "/endless":
            self.close_connection = True
            self.send_response(200)
            self.send_header("Content-Type", "text/html")
            self.send_header("Cache-Control", "max-age=600")
            self.send_header("Connection", "close")
            self.end_headers()
            for _ in range(64):
                self.wfile.write(b"x" * 1048576)
            return
        body = text.encode()
        self.send_response(200)
        self.send_header("Content-Type", "text/html")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_):
        pass


ThreadingHTTPServer(("", int(os.environ["PORT"])), Page).serve_forever()
"""
ROUTES = '"http://{default}/": {type: upstream, upstream: "app:http", ssi: true, cache: {enabled: true, cookies: []}}\n'
NAMES = sorted({*(f"deployd_{name}" for name in LUA_VARIABLES), *HIDDEN_VARIABLES})
MEGABYTE = 1024 * 1024


@pytest_asyncio.fixture(loop_scope="session")
async def me(developer: MakeDeveloper) -> Developer:
    made = await developer("pages", {".platform.app.yaml": APP, "server.py": SERVER, ".platform/routes.yaml": ROUTES})
    if not (await made.page(path="/count"))[1].isdigit():
        pushed = await made.push()
        assert pushed.deployed, pushed.lines
    return made


async def ask(me: Developer, path: str, **query: str) -> tuple[int, bytes]:
    url = URL(me.daemon.url(me.project, "main", path))
    async with aiohttp.ClientSession() as session, session.get(
        url.with_host("127.0.0.1"), params=query, headers={"Host": url.authority},
    ) as answer:
        found = b""
        try:
            async for piece in answer.content.iter_chunked(MEGABYTE):
                found += piece
        except aiohttp.ClientPayloadError:
            pass   # broken off
        return answer.status, found


@pytest.mark.parametrize("times", [1, 2, 3, 12, 100])
async def test_a_page_that_includes_itself_costs_what_forty_eight_parts_cost(me: Developer, times: int) -> None:
    await ask(me, "/count")
    async with asyncio.timeout(60):
        status, _ = await ask(me, "/self", times=str(times))
    assert status == 200
    assert int((await ask(me, "/count"))[1]) <= 1 + 48 + 1


@pytest.mark.parametrize("name", NAMES)
async def test_no_page_shows_a_variable_of_the_router(me: Developer, name: str) -> None:
    for form in (f'[<!--#echo var="{name}" default="" -->]', f'[<!--#set var="x" value="${name}" --><!--#echo var="x" default="" -->]'):
        assert await ask(me, "/page", text=form) == (200, b"[]")


async def test_an_answer_without_end_does_not_fill_the_run_folder(me: Developer) -> None:
    for _ in range(2):
        status, body = await ask(me, "/endless", number="1")
        assert status == 200
        files = [place for place in (me.daemon.directory / "var" / "run" / "router").rglob("*") if place.is_file()]
        assert max(place.stat().st_size for place in files) < 20 * MEGABYTE
    assert len(body) == 64 * MEGABYTE   # the second time it streams past the cache


async def test_the_router_has_a_limit_of_memory(me: Developer) -> None:
    limit = int(docker("inspect", "-f", "{{.HostConfig.Memory}}", router_name(me.daemon.instance)))
    assert 0 < limit <= 2048 * MEGABYTE
    assert resource.getpagesize() <= limit


async def test_a_web_container_has_a_limit_of_processors(me: Developer) -> None:
    found = docker("ps", "--filter", f"label=deployd={me.daemon.instance}", "--filter", "label=deployd.role=web", "-q").split()
    limits = docker("inspect", "-f", "{{.HostConfig.NanoCpus}} {{.HostConfig.CpuQuota}}", *found).split("\n")
    assert found
    assert all(any(int(number) > 0 for number in line.split()) for line in limits if line.strip())
