"""What an application answers comes to the visitor as it was said, whatever the locations say of files.

The manual of Platform.sh, of `headers` and `expires` of a location: static files have them, "Responses from the app
aren't affected".
"""

from __future__ import annotations

import io
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from deployd.project.model import Application, Commands, Instance, Location, RequestBuffering, RouteCache, Rule, Web
from deployd.router.control import Router
from deployd.router.table import Target
from tests.support.router_stand import Stand, route, router, routes, stand, unique
from tests.support.router_stand import ask as ask_router
from tests.support.web_stand import Ask, asker, web_containers

__all__ = ["router", "stand"]

OF_FILES = {"X-Frame-Options": "SAMEORIGIN", "X-Of-Files": "yes"}
SMALL, STREAMED = RequestBuffering(max_request_size_bytes=3 << 20), RequestBuffering(enabled=False)
RULES = (
    Rule(r"^/ruled/", expires_seconds=60, headers={"X-Ruled": "yes"}),
    Rule(r"^/bare/", headers={}),
    Rule(r"^/shut/", allow=False, passthru="/page.html"),
)
FOR_PHP = (
    Location(
        "/", root="web", passthru="/index.php", index=("index.php",), expires_seconds=600, headers=OF_FILES,
        rules=(*RULES, Rule(r"^/alias/(?<name>.*)$", scripts=False, passthru="/$name")),
    ),
    Location("/raw", passthru=True, allow=False, scripts=False, expires_seconds=600, headers=OF_FILES),
    Location("/shop", root="web/shop", passthru=False, index=("index.php",), expires_seconds=600, headers=OF_FILES),
    Location("/papers", root="papers", expires_seconds=600, headers={"Cache-Control": "public", "X-Of-Files": "yes"}),
    Location("/invoices", root="papers", expires_seconds=600),
    Location("/small", passthru="/index.php", request_buffering=SMALL),
    Location("/streamed", root="web", passthru="/index.php", request_buffering=STREAMED),
)
SAY = """<?php
ini_set("default_charset", "");
foreach ($_GET["say"] ?? [] as $line) { header($line, false); }
echo "answer of ", $_SERVER["HTTP_X_ASKED_BY"] ?? "nobody", " ", strlen(file_get_contents("php://input"));
"""
SCRIPTS = ("index.php", "who.php", "ruled/who.php", "bare/who.php", "shop/index.php", "raw/who.php")
FILES = {f"web/{name}": SAY for name in SCRIPTS} | {
    "web/a.txt": "a", "web/ruled/a.txt": "a", "web/bare/a.txt": "a", "web/page.html": "page", "papers/1.txt": "invoice",
}
FOR_HTTP = (
    Location("/", root="web", passthru=True, expires_seconds=600, headers=OF_FILES, rules=(
        *RULES, Rule(r"^/asked/", allow=False),
    )),
    Location("/all", passthru=True, expires_seconds=600, headers=OF_FILES),
    Location("/small", passthru=True, request_buffering=SMALL),
    Location("/streamed", passthru=True, request_buffering=STREAMED),
)
SERVER = """
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from os import environ
from urllib.parse import parse_qs, urlsplit

class Say(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_GET(self):
        length = int(self.headers.get("Content-Length", 0))
        size = 0
        if self.headers.get("Transfer-Encoding") == "chunked":
            while piece := int(self.rfile.readline(), 16):
                size += len(self.rfile.read(piece))
                self.rfile.readline()
            self.rfile.readline()
        else:
            size = len(self.rfile.read(length))
        body = f"answer {self.headers.get('Transfer-Encoding', 'whole')} {size}".encode()
        self.send_response(200)
        for line in parse_qs(urlsplit(self.path).query).get("say[]", []):
            self.send_header(*line.split(": ", 1))
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    do_POST = do_GET
    def log_message(self, *_): pass

ThreadingHTTPServer(("127.0.0.1", 8888), Say).serve_forever()
"""
CACHED = RouteCache(default_ttl_seconds=60)
ASKED_OF_PHP = (
    "/who.php", "/", "/pretty/url", "/ruled/who.php", "/ruled/pretty", "/bare/who.php", "/alias/who.php",
    "/raw/who.php", "/shop/", "/shop/index.php", "/small/x", "/streamed/x",
)
ASKED_OF_HTTP = ("/", "/x", "/ruled/x", "/bare/x", "/asked/x", "/all/x", "/small/x", "/streamed/x")
SAID = (
    (), ("Cache-Control: private, no-store",), ("Cache-Control: public, max-age=60",), ("Cache-Control: no-cache",),
    ("Cache-Control: max-age=60", "Cache-Control: private"), ("Expires: Thu, 19 Nov 1981 08:52:00 GMT",),
    ("X-Frame-Options: DENY",), ("Set-Cookie: a=b", "Set-Cookie: c=d"), ("Content-Type: text/html",),
    ("Content-Type: text/html; charset=iso-8859-1",), ("Vary: *",), ("X-Ruled: of the application",),
)
TOUCHED = {
    name.lower() for name in (
        "Cache-Control", "Expires", "Set-Cookie", "Content-Type", "Vary", "Pragma", "X-Ruled", *OF_FILES,
    )
}


def query(lines: tuple[str, ...]) -> str:
    return "?" + "&".join(f"say[]={line.replace(' ', '%20').replace(';', '%3B')}" for line in lines)


@pytest.fixture
async def php(tmp_path: Path) -> AsyncIterator[str]:
    app = Application("shop", "php", "8.4", "", Web(Instance(Commands()), "unix", "fastcgi", FOR_PHP))
    async with web_containers(tmp_path, app, FILES) as address:
        yield address


@pytest.fixture
async def served(tmp_path: Path) -> AsyncIterator[str]:
    app = Application("shop", "python", "3.13", "", Web(Instance(Commands()), "tcp", "http", FOR_HTTP))
    command = ("deployd/python:3.13", "python3", "-c", SERVER)
    async with web_containers(tmp_path, app, FILES, command) as address:
        yield address


async def answers_are_as_said(ask: Ask, paths: tuple[str, ...]) -> None:
    for path in paths:
        for lines in SAID:
            status, body, headers = await ask(path + query(lines))
            assert (status, body.split()[0]) == (200, "answer"), (path, body)
            found = {
                f"{name}: {value}" for name, value in headers.items()
                if name.lower() in TOUCHED and not (name == "Content-Type" and "Content-Type" not in str(lines))
            }
            assert found == set(lines), path


async def files_have_what_their_location_says(ask: Ask) -> None:
    for path, control, of_files, ruled in (
        ("/a.txt", "max-age=600", "yes", None), ("/ruled/a.txt", "max-age=60", None, "yes"),
        ("/bare/a.txt", "max-age=600", None, None), ("/shut/x", "max-age=600", "yes", None),
    ):
        status, body, headers = await ask(path)
        assert (status, body) == (200, "page" if path == "/shut/x" else "a")
        found = [headers.get(name) for name in ("Cache-Control", "X-Of-Files", "X-Ruled", "X-Frame-Options")]
        assert found == [control, of_files, ruled, "SAMEORIGIN" if of_files else None], path
        assert headers["Content-Type"] == f"text/{'html' if path == '/shut/x' else 'plain'}; charset=utf-8"


async def pieces(count: int) -> AsyncIterator[bytes]:
    """A body of so many megabytes, of which nobody knows the length before."""
    for _ in range(count):
        yield b"x" * (1 << 20)


async def bodies_are_taken_as_their_location_says(ask: Ask) -> None:
    whole = io.BytesIO(b"x" * (4 << 20))
    for path in ("/x", "/streamed/x"):
        assert (await ask(path, whole))[1].endswith(f" {4 << 20}"), path
        whole.seek(0)
    assert (await ask("/small/x", whole))[0] == 413
    assert (await ask("/small/x", pieces(4)))[0] == 413
    for path in ("/x", "/small/x"):
        assert (await ask(path, pieces(2)))[1].endswith(f" {2 << 20}"), path


async def test_answers_of_php_are_as_php_said(php: str) -> None:
    async with asker(php) as ask:
        await answers_are_as_said(ask, ASKED_OF_PHP)
        await files_have_what_their_location_says(ask)
        await bodies_are_taken_as_their_location_says(ask)
        for path in ("/streamed/x", "/streamed/who.php"):
            assert (await ask(path, pieces(1)))[0] == 411, "PHP reads nothing of which it is not told the length"
        for lines in SAID[1:6]:
            status, body, headers = await ask("/who.php" + query((*lines, "X-Accel-Redirect: /invoices/1.txt")))
            assert (status, body) == (200, "invoice")
            found = {f"{name}: {value}" for name, value in headers.items() if name in ("Cache-Control", "Expires")}
            assert found == set(lines), "a file that an application hands out goes with the application's word"


async def test_answers_of_a_server_are_as_it_said(served: str) -> None:
    async with asker(served) as ask:
        await answers_are_as_said(ask, ASKED_OF_HTTP)
        await files_have_what_their_location_says(ask)
        await bodies_are_taken_as_their_location_says(ask)
        assert (await ask("/streamed/x", pieces(4)))[1] == f"answer chunked {4 << 20}"
        assert (await ask("/x", pieces(4)))[1] == f"answer whole {4 << 20}", "it is read before the server is asked"


async def test_what_php_made_for_one_visitor_is_shown_to_no_other(php: str, stand: Stand, router: Router) -> None:
    environment, host = unique("private")
    await router.switch(routes(environment, "1", route(host, Target(php, 80), cache=CACHED)))

    async def two(path: str) -> tuple[list[bytes], dict[str, str]]:
        found = [await ask_router(stand, host, path, headers=f"X-Asked-By: {name}\r\n") for name in ("alice", "bob")]
        assert {answer.status for answer in found} == {200}, path
        assert not [name for name in found[1].headers if name.startswith("x-deployd")], path
        return [answer.body for answer in found], found[1].headers

    for path in ASKED_OF_PHP:
        for lines in (*SAID[1:2], *SAID[3:6], *SAID[7:8], *SAID[10:11]):
            (of_alice, of_bob), _ = await two(path + query(lines))
            assert (b"alice" in of_alice, b"bob" in of_bob) == (True, True), (path, lines)
        (of_alice, of_bob), headers = await two(path + query(SAID[2]))
        assert of_alice == of_bob, f"{path}: what may be shared is"
        assert headers["x-platform-cache"] == "HIT"
    invoice = "/who.php" + query(("Cache-Control: private", "X-Accel-Redirect: /papers/1.txt"))
    headers = (await two(invoice))[1]
    assert headers["x-platform-cache"] == "MISS", "not even where the location of the file says public"
