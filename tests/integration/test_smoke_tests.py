"""Smoke tests are asked of servers that do not mean well, and their expressions looked for in what those say."""

from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager
from dataclasses import replace
from types import SimpleNamespace
from typing import Any

import pytest

from deployd.engine.errors import EngineOverran, NotRunning
from deployd.engine.observed import ExecResult
from deployd.project.model import SmokeTest
from deployd.release.checks.matching import is_found
from deployd.release.checks.smoke import MOST_BYTES, Answered, ask, route_of
from deployd.router.table import Route, RouteSet, Target
from deployd.settings import RouterSettings

HOME = SmokeTest("home", path="/", timeout_seconds=1)
HEAD = b"HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\n"


@asynccontextmanager
async def listening(*pieces: bytes, pause: float = 0, then: float = 0) -> Any:
    """(port, what was asked)"""
    asked: list[bytes] = []

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            asked.append(await reader.readuntil(b"\r\n\r\n"))
            for piece in pieces:
                writer.write(piece)
                await writer.drain()
                await asyncio.sleep(pause)
            await asyncio.sleep(then)
        except (ConnectionError, asyncio.IncompleteReadError):
            pass
        finally:
            writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    try:
        yield server.sockets[0].getsockname()[1], asked
    finally:
        server.close()


def routes(port: int, token: str = "shop-web") -> RouteSet:
    route = Route("https", "shop.test", "/", "upstream", (Target("127.0.0.1", port, token),), None, "https://{default}/")
    return RouteSet("shop/main", "1", (route,))


HOST: Any = SimpleNamespace(settings=SimpleNamespace(router=RouterSettings()))
RELEASE: Any = None


async def answer(test: SmokeTest, *pieces: bytes, **more: Any) -> Answered:
    async with listening(*pieces, **more) as (port, _):
        return await ask(test, RELEASE, HOST, routes(port))


def body(text: bytes) -> bytes:
    return HEAD + b"Content-Length: %d\r\n\r\n" % len(text) + text


@pytest.mark.parametrize(("test", "said", "why"), [
    (HOME, body(b"fine"), ""),
    (HOME, b"HTTP/1.1 500 No\r\nContent-Length: 0\r\n\r\n", "answers 500 Internal Server Error"),
    (HOME, b"HTTP/1.1 302 Found\r\nLocation: http://169.254.169.254/\r\nContent-Length: 0\r\n\r\n", ""),
    (replace(HOME, status=(204,)), body(b"fine"), "answers 200 OK"),
    (replace(HOME, contains="fine"), body(b"all is fine"), ""),
    (replace(HOME, contains="Fine"), body(b"all is fine"), "'Fine' does not stand in it"),
    (replace(HOME, matches=r"f\w+e$"), body(b"all is fine"), ""),
    (replace(HOME, matches=r"^f"), body(b"all is fine"), "'^f' is not found in it"),
    (replace(HOME, answer_headers={"content-type": "TEXT"}), body(b""), ""),
    (replace(HOME, answer_headers={"X-Shop": "open"}), body(b""), "answers without 'open' in its header X-Shop"),
    (HOME, b"HTTP/1.1 200 OK\r\nX: " + b"x" * 100_000 + b"\r\n\r\n", "gives no answer ("),
    (HOME, b"nothing of HTTP\r\n\r\n", "gives no answer ("),
    (HOME, b"", "gives no answer ("),
])
async def test_what_comes_back_is_compared_with_what_is_wanted(test: SmokeTest, said: bytes, why: str) -> None:
    found = await answer(test, said)
    assert (why in found.why) if why else found.is_well, found.why
    assert not why or found.why.startswith("GET https://shop.test/ "), found.why


async def test_an_endless_answer_a_silent_one_and_a_bomb_end_soon() -> None:
    silent = await answer(HOME, then=9)
    assert silent.why == "GET https://shop.test/ gives no answer within 1 s"
    assert silent.may_come
    endless = await answer(replace(HOME, contains="never"), HEAD + b"\r\n", *[b"x"] * 900, pause=0.01)
    assert not endless.is_well
    large = HEAD + b"\r\n" + b"x" * (4 * MOST_BYTES) + b"end"
    assert "'end' does not stand in it" in (await answer(replace(HOME, contains="end"), large)).why


async def test_a_request_is_as_visitors_requests_are_and_carries_what_is_named() -> None:
    test = replace(HOME, path="/a?b=c", method="POST", body="x=1", headers={"X-Own": "1", "User-Agent": "us"})
    async with listening(body(b"fine")) as (port, asked):
        assert (await ask(test, RELEASE, HOST, routes(port))).is_well
    [head] = asked
    lines = head.decode().lower().split("\r\n")
    assert lines[0] == "post /a?b=c http/1.1"
    for line in ("host: shop.test", "x-forwarded-proto: https", "x-own: 1", "user-agent: us",
                 "x-original-route: https://{default}/", "content-length: 3"):
        assert line in lines, lines
    assert sum(line.startswith("host:") for line in lines) == 1


@pytest.mark.parametrize("test", [
    replace(HOME, host="169.254.169.254"), replace(HOME, host="other.test"), replace(HOME, host="localhost"),
])
async def test_no_host_but_the_environments_own_is_ever_asked(test: SmokeTest) -> None:
    async with listening(body(b"fine")) as (port, asked):
        found = await ask(test, RELEASE, HOST, routes(port))
        outside = await ask(HOME, RELEASE, HOST, routes(port, token=""))
    assert "leads to no application of this environment" in found.why
    assert "leads to no application of this environment" in outside.why, "nor what a route of the project leads to"
    assert asked == []


def test_a_path_is_asked_by_the_route_that_visitors_would_take() -> None:
    def route(host: str, path: str, original: str, kind: Any = "upstream") -> Route:
        return Route("https", host, path, kind, (Target("10.0.0.2", 80, path),), None, original)

    table = [route("a.test", "/", "https://{default}/"), route("a.test", "/api/", "https://{default}/api/"),
             route("www.a.test", "/", "https://www.{default}/"), route("out.test", "/", "https://out.test/", "proxy")]

    def leads(path: str, host: str = "") -> str:
        found = route_of(SmokeTest("x", path=path, host=host), table)
        return f"{found.host}{found.path}" if found else "nowhere"

    assert leads("/") == "a.test/"
    assert leads("/api/x?y=/") == "a.test/api/"
    assert leads("/?/api/") == "a.test/"
    assert leads("/", "WWW.{default}") == leads("/", "www.a.test") == "www.a.test/"
    assert leads("/", "out.test") == leads("/", "b.test") == "nowhere"


async def test_an_expression_that_would_take_years_is_given_up_and_the_daemon_goes_on() -> None:
    ticks = 0

    async def tick() -> None:
        nonlocal ticks
        while True:
            await asyncio.sleep(0.01)
            ticks += 1

    async with asyncio.TaskGroup() as group:
        ticking = group.create_task(tick())
        assert await is_found("(a+)+$", "a" * 5_000 + "b") is None
        ticking.cancel()
    assert ticks > 20
    assert await is_found("x" * 400 + "{1,60000}" , "x") is not True
    assert await is_found("ü.\n", "\x00ü?\n") is True


class Engine:
    def __init__(self, outcome: ExecResult | Exception) -> None:
        self.outcome = outcome
        self.asked: list[Any] = []

    async def execute(self, name: str, argv: Any, run_as: Any, *, limit_seconds: float) -> ExecResult:
        self.asked.append((name, argv, run_as, limit_seconds))
        if isinstance(self.outcome, Exception):
            raise self.outcome
        return self.outcome


@pytest.mark.parametrize(("more", "outcome", "why"), [
    ({}, ExecResult(0, b"", b""), ""),
    ({}, ExecResult(3, b"", b"no \x1b[31mqueue\n"), "ended with status 3"),
    ({"status": (3,)}, ExecResult(3, b"", b""), ""),
    ({"contains": "up"}, ExecResult(0, b"all up", b""), ""),
    ({"contains": "up"}, ExecResult(0, b"", b"up"), "'up' does not stand in it"),
    ({}, EngineOverran("it ran too long"), "was still running after 1 s and was ended"),
    ({}, NotRunning("it does not run"), "the container of app does not run"),
    ({"app": "other"}, ExecResult(0, b"", b""), "there is no application other"),
])
async def test_a_command_runs_as_the_application_does(more: Any, outcome: Any, why: str) -> None:
    test = SmokeTest("queue", command="php check.php", timeout_seconds=1, **more)
    engine, app = Engine(outcome), SimpleNamespace(name="app")
    config = SimpleNamespace(config=SimpleNamespace(
        applications=(app,), application=lambda name: app if name == "app" else None), warnings=())

    async def read(*_: object) -> Any:
        return config

    release: Any = SimpleNamespace(
        user="2000000:2000000", container=lambda role, part: f"{part}-{role}", project=None, commit="c")
    host: Any = SimpleNamespace(engine=engine, code=SimpleNamespace(read=read), settings=HOST.settings)
    found = await ask(test, release, host, routes(1))
    assert (why in found.why) if why else found.is_well, found.why
    assert "\x1b" not in "".join(found.lines)
    if engine.asked:
        [(name, argv, run_as, limit)] = engine.asked
        assert (name, run_as.user, run_as.working_folder, limit) == ("app-app", "2000000:2000000", "/app", 1)
        assert argv[:2] == ["/bin/sh", "-c"]
        assert argv[2].endswith("php check.php\n")


