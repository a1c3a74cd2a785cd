"""Signing in over real sockets: cookies, forms of other sites, ways back, and who is led where."""

from __future__ import annotations

import asyncio
import json
import re
import time
from collections.abc import AsyncIterator
from contextlib import suppress
from datetime import UTC, datetime
from functools import reduce
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio
from aiohttp import ClientError, CookieJar, FormData, web
from aiohttp.test_utils import TestClient, TestServer
from structlog.testing import capture_logs

from deployd.access.directory import Directory
from deployd.activity.error_boundary import ErrorBoundary
from deployd.api.applications import Public, public_application
from deployd.commands.audit import AuditCommands
from deployd.commands.commands import Commands
from deployd.commands.sessions import Sessions
from deployd.console import live
from deployd.console.live import Board
from deployd.console.routes import FORM_TYPE, FORMS, Console, console_routes
from deployd.http import slow_readers
from deployd.http.callers import Callers
from deployd.http.door import Door
from deployd.http.event_stream import Streams
from deployd.http.origins import Ours
from deployd.settings import Settings
from deployd.state import audit
from tests.doubles.api import FakeCommands, FakeQueries, activity, api_of
from tests.doubles.store import MemoryStore
from tests.support.page import Page

Client = TestClient[web.Request, web.Application]
VERA, DORA = "the-secret-of-vera", "the-secret-of-dora"
CANCEL = "/activities/7/cancel"


class Clock:
    def now(self) -> datetime:
        return datetime(2026, 5, 4, 10, 0, tzinfo=UTC)


class World:
    def __init__(self, folder: Path) -> None:
        settings = Settings.model_validate({"directory": str(folder), "tokens": [
            {"name": "vera", "role": "viewer", "secret": VERA}, {"name": "dora", "role": "contributor", "secret": DORA},
        ]})
        self.store = MemoryStore()
        clock: Any = Clock()
        directory = Directory(settings.tokens, clock.now)
        self.sessions = Sessions(self.store, directory, clock)   # type: ignore[arg-type]
        self.queries = FakeQueries([activity(7, state="in_progress")])
        fake = FakeCommands(self.queries)
        made = {name: getattr(fake.by_noun, name) for name in Commands.__dataclass_fields__}
        noting: Any = AuditCommands(self.store, clock)   # type: ignore[arg-type]
        self.commands = Commands(**{**made, "sessions": self.sessions, "audit": noting})
        ours = Ours("https://deploy.example.com")
        self.let_in: list[str] = []
        callers = Callers(directory.by_header, self.sessions, ours)
        door = Door(ours, let_in=lambda request: self.let_in.append(request.path))
        self.console = Console(
            queries=self.queries.by_noun, commands=self.commands, callers=callers,
            board=Board(ErrorBoundary("console")), streams=Streams(), door=door,
        )
        self.app = public_application(api_of(self.queries, fake), console_routes(self.console), Public(callers, door))


@pytest.fixture
def world(tmp_path: Path) -> World:
    return World(tmp_path)


@pytest_asyncio.fixture
async def client(world: World) -> AsyncIterator[Client]:
    async with TestClient(TestServer(world.app), cookie_jar=CookieJar(unsafe=True)) as made:
        yield made


async def sign_in(client: Client, token: str = DORA, path: str = "/", **more: Any) -> Any:
    return await client.post("/sign-in", data={"token": token, "next": path}, allow_redirects=False, **more)


async def csrf(client: Client) -> str:
    text = await (await client.get("/sessions")).text()
    found = re.search(r'name="csrf" value="([^"]+)"', text)
    assert found is not None
    return found.group(1)


async def test_who_signs_in_is_led_to_where_one_wanted_and_stays_in(client: Client) -> None:
    answer = await sign_in(client, path="/sessions?a=b")
    assert (answer.status, answer.headers["Location"]) == (303, "/sessions?a=b")
    cookie = answer.headers["Set-Cookie"]
    assert {"HttpOnly", "SameSite=Lax", "Path=/"} <= set(cookie.split("; "))
    assert "Secure" not in cookie
    assert DORA not in cookie
    assert "dora contributor" in Page(await (await client.get("/")).text()).said


async def test_a_browser_that_signed_in_is_no_stranger_and_its_pages_stay_open(client: Client, world: World) -> None:
    """A stranger's connection is closed after a minute."""
    await client.get("/")
    await client.get("/events", headers={"Cookie": f"deployd={'a' * 43}"})
    assert world.let_in == []
    await sign_in(client)
    world.let_in.clear()
    async with client.get("/events") as events:
        await events.content.readany()
        assert world.let_in == ["/events"]
    await client.get("/", headers={"Authorization": "Bearer wrong"})
    assert world.let_in == ["/events"]


@pytest.mark.parametrize("headers", [
    {"X-Forwarded-Proto": "https"}, {"Host": "deploy.example.com"}, {"Host": "Deploy.Example.com:443"},
    {"Origin": "https://deploy.example.com"},
])
async def test_behind_tls_the_cookie_is_for_tls_and_this_host_alone(client: Client, headers: dict[str, str]) -> None:
    answer = await sign_in(client, headers=headers)
    cookie = answer.headers["Set-Cookie"]
    assert cookie.startswith("__Host-deployd=")
    assert {"Secure", "HttpOnly", "Path=/"} <= set(cookie.split("; "))
    assert "Domain" not in cookie


async def test_behind_tls_a_cookie_that_another_host_set_counts_for_nothing(client: Client) -> None:
    set_by_another = (await sign_in(client)).headers["Set-Cookie"].partition(";")[0]
    client.session.cookie_jar.clear()
    for headers, status in (({}, 200), ({"Host": "deploy.example.com"}, 401), ({"X-Forwarded-Proto": "https"}, 401)):
        answer = await client.get("/sessions", headers={"Cookie": set_by_another, **headers})
        assert answer.status == status


@pytest.mark.parametrize("place", [
    "https://evil.test/", "//evil.test", "/\\evil.test", "\\\\evil.test", "javascript:alert(1)", "", "evil", "/a\nb",
    "/sign-out", "/sign-in?next=//evil.test", "/" + "a" * 3000,
])
async def test_nobody_is_led_elsewhere(client: Client, place: str) -> None:
    assert (await sign_in(client, path=place)).headers["Location"] == "/"


async def test_a_wrong_token_is_told_apart_from_none_and_bounded_by_address(client: Client, world: World) -> None:
    assert "is not known" not in await (await client.get("/sessions")).text()
    with capture_logs() as logs:
        answer = await sign_in(client, "a-wrong-token-of-eve")
    assert answer.status == 401
    text = await answer.text()
    assert "This token is not known" in Page(text).said
    assert "a-wrong-token" not in text
    assert [item["event"] for item in logs] == ["sign_in_failed"]
    for _ in range(20):
        answer = await sign_in(client, "a-wrong-token-of-eve")
    assert answer.status == 429
    assert int(answer.headers["Retry-After"]) > 0
    assert (await sign_in(client)).status == 429, "right or wrong: who guesses must not learn it"
    assert audit.newest(world.store.db) == []


async def test_a_form_does_what_it_says_and_is_noted(client: Client, world: World) -> None:
    await sign_in(client)
    answer = await client.post(CANCEL, data={"csrf": await csrf(client)}, allow_redirects=False)
    assert (answer.status, answer.headers["Location"]) == (303, "/activities/7")
    assert ("cancel", 7, "dora") in world.queries.asked
    entry = audit.newest(world.store.db)[0].deed
    assert (entry.who, entry.by, entry.action, entry.result) == ("dora", "console", "cancel", "done")
    assert entry.said == "activity 7"


SHOP = {r"{id:\d{1,15}}": "7", "{project}": "shop", "{environment}": "main-bvxea6i", "{person}": "anna",
        r"{ticket:\d{1,15}}": "1"}


@pytest.mark.parametrize("path", [
    reduce(lambda path, name: path.replace(name, SHOP[name]), SHOP, path) for path in FORMS
])
@pytest.mark.parametrize("fields", [{}, {"csrf": ""}, {"csrf": "x" * 43}, {"csrf": "é"}])
async def test_a_form_of_another_page_does_nothing(
    client: Client, world: World, path: str, fields: dict[str, str],
) -> None:
    await sign_in(client)
    before = list(world.queries.asked)
    answer = await client.post(path, data=FormData(fields or {"a": "b"}), allow_redirects=False)
    assert answer.status == 403
    assert world.queries.asked == before


async def test_a_form_in_another_shape_does_nothing(client: Client, world: World) -> None:
    await sign_in(client)
    word = await csrf(client)
    plain = {"data": b"csrf=" + word.encode(), "headers": {"Content-Type": "text/plain"}}
    for sent in ({"json": {"csrf": word}}, plain):
        assert (await client.post(CANCEL, allow_redirects=False, **sent)).status == 403   # type: ignore[arg-type]
    assert world.queries.asked == []


@pytest.mark.parametrize("headers", [
    {"Origin": "https://evil.test"}, {"Origin": "null"}, {"Sec-Fetch-Site": "cross-site"},
    {"Sec-Fetch-Site": "same-site"},
])
@pytest.mark.parametrize("path", [CANCEL, "/sign-in", "/sign-out"])
async def test_a_form_on_a_page_of_another_site_does_nothing(
    client: Client, world: World, headers: dict[str, str], path: str,
) -> None:
    await sign_in(client)
    fields = {"csrf": await csrf(client), "token": VERA}
    answer = await client.post(path, data=fields, headers=headers, allow_redirects=False)
    assert answer.status == 403
    assert "Set-Cookie" not in answer.headers
    assert world.queries.asked == []


async def test_who_may_not_is_told_so_and_that_is_noted(client: Client, world: World) -> None:
    await sign_in(client, VERA)
    answer = await client.post(CANCEL, data={"csrf": await csrf(client)}, allow_redirects=False)
    assert answer.status == 403
    assert "vera is a viewer" in Page(await answer.text()).said.lower()
    assert [(entry.deed.action, entry.deed.result) for entry in audit.newest(world.store.db)] == [
        ("cancel", "refused"), ("sign-in", "done"),
    ]


async def test_a_program_sees_pages_and_no_forms(client: Client, world: World) -> None:
    headers = {"Authorization": f"Bearer {DORA}"}
    found = Page(await (await client.get("/sessions", headers=headers)).text())
    assert found.all("form") == []
    answer = await client.post(CANCEL, data={"csrf": "x"}, headers=headers, allow_redirects=False)
    assert (answer.status, world.queries.asked) == (403, [])


async def test_a_session_reads_the_api_and_changes_nothing_without_its_word(client: Client, world: World) -> None:
    await sign_in(client)
    assert (await client.get("/api/v1/projects")).status == 200
    path = "/api/v1/projects/shop/environments/main/redeploy"
    for headers in ({}, {"X-CSRF-Token": "x"}):
        assert (await client.post(path, headers=headers)).status == 403
    assert world.queries.asked == []
    assert (await client.post(path, headers={"X-CSRF-Token": await csrf(client)})).status == 202


async def test_an_expired_session_leads_to_the_sign_in_and_back_with_what_was_typed(client: Client) -> None:
    answer = await client.post(CANCEL, data={"csrf": "x", "reason": "the sale & more", "token": "t"})
    assert answer.status == 401
    fields = {field["name"]: field.get("value", "") for field in Page(await answer.text()).all("input")}
    assert fields["next"] == "/activities/7?reason=the+sale+%26+more"


async def test_an_expired_session_leads_back_to_the_page_of_the_form(client: Client) -> None:
    page, fields = "/projects/shop/environments/main", {"csrf": "x", "seen": "7", "to": "2", "chosen": "1"}
    host = str(client.make_url("/")).rstrip("/")
    for place, leads_to in ((f"{host}{page}/confirm?do=revert&to=2", f"{page}/confirm?do=revert&to=2&chosen=1"),
                            ("", f"{page}?to=2&chosen=1"), (f"{host}//evil.test", f"{page}?to=2&chosen=1")):
        answer = await client.post(f"{page}/revert", data=fields, headers={"Referer": place} if place else {})
        assert answer.status == 401
        found = {field["name"]: field.get("value", "") for field in Page(await answer.text()).all("input")}
        assert found["next"] == leads_to


async def test_who_signs_out_is_out_and_only_by_ones_own_form(client: Client, world: World) -> None:
    await sign_in(client)
    await client.post("/sign-out", data={"csrf": "x"}, allow_redirects=False)
    assert len(world.sessions.of("dora")) == 1, "the form was not ours: the cookie goes, the session stays"
    await sign_in(client)
    answer = await client.post("/sign-out", data={"csrf": await csrf(client)}, allow_redirects=False)
    assert answer.headers["Location"] == "/sign-in"
    assert len(world.sessions.of("dora")) == 1
    assert (await client.get("/")).status == 401


async def test_sessions_are_listed_with_what_browsers_say_as_text(client: Client, world: World) -> None:
    hostile = "<script>alert(1)</script>"
    await sign_in(client, headers={"User-Agent": hostile})
    found = Page(await (await client.get("/sessions")).text())
    assert hostile in found.said
    assert "this one" in found.said
    [session] = world.sessions.of("dora")
    answer = await client.post("/sessions/end", data={"csrf": await csrf(client), "session": session.id})
    assert answer.status == 401, "it was this one"


async def test_the_events_of_a_page_are_for_who_may_see_it(client: Client) -> None:
    for path in ("/events", "/activities/7/events"):
        assert (await client.get(path)).status == 401
    await sign_in(client)
    async with client.get("/events?from=x") as answer:
        assert answer.content_type == "text/event-stream"
        told = await answer.content.readuntil(b"data: \n\n")
    assert b"event: reload" in told
    assert json.dumps(dict(answer.headers)).count("no-store") == 1


@pytest.mark.parametrize("charset", ["punycode", "utf-16", "there-is-none", "unicode_escape"])
async def test_a_form_is_read_as_utf_8_whatever_its_type_says(client: Client, charset: str) -> None:
    headers = {"Content-Type": f"application/x-www-form-urlencoded; charset={charset}"}
    began = time.monotonic()
    answer = await client.post("/sign-in", data=b"token=x&b-" + b"9" * 90_000, headers=headers)
    assert (answer.status, time.monotonic() - began < 1.0) == (401, True)
    right = b"\xff=\xff&token=" + DORA.encode()
    answer = await client.post("/sign-in", data=right, headers=headers, allow_redirects=False)
    assert answer.status == 303


async def test_of_a_form_without_a_length_no_more_is_read_than_of_one_with_it(client: Client) -> None:
    sent = 0

    async def endless() -> AsyncIterator[bytes]:
        nonlocal sent
        yield b"token="
        while sent < 30_000_000:
            sent += 100_000
            yield b"x" * 100_000

    with suppress(ClientError):
        answer = await client.post("/sign-in", data=endless(), headers={"Content-Type": FORM_TYPE})
        assert answer.status == 401
    assert sent < 20_000_000


async def test_a_browser_whose_name_is_no_unicode_signs_in_too(client: Client, world: World) -> None:
    reader, writer = await asyncio.open_connection(client.host, client.port)
    body = f"token={DORA}".encode()
    kind = f"Content-Type: {FORM_TYPE}\r\nContent-Length: {len(body)}\r\n\r\n".encode()
    writer.write(b"POST /sign-in HTTP/1.1\r\nHost: 127.0.0.1\r\nUser-Agent: a\xff\r\n" + kind + body)
    assert b" 303 " in await reader.readline()
    writer.close()
    assert world.sessions.of("dora")[0].agent == "a?"


async def test_a_whole_log_is_taken_as_fast_as_it_is_read(
    client: Client, world: World, monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(slow_readers, "MOST_SECONDS", 0.5)
    made, closed = 0, asyncio.Event()

    async def plain(_: int) -> AsyncIterator[bytes]:
        nonlocal made
        try:
            while made < 200:
                made += 1
                yield b"x" * 1_000_000
        finally:
            closed.set()

    world.console.queries.logs.plain = plain   # type: ignore[method-assign, assignment]
    await sign_in(client)
    answer = await client.get("/activities/7/log.txt")
    assert (answer.status, answer.content_type) == (200, "text/plain")
    assert "activity-7.txt" in answer.headers["Content-Disposition"]
    await asyncio.wait_for(closed.wait(), 5)
    assert made < 50
    answer.close()


async def test_a_session_that_was_ended_ends_what_its_pages_are_told(
    client: Client, world: World, monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(live, "SILENCE_SECONDS", 0.05)
    await sign_in(client)
    async with client.get("/events?from=x") as answer:
        await answer.content.readuntil(b"still here")
        [session] = world.sessions.of("dora")
        await world.sessions.end(session.id, "dora")
        await asyncio.wait_for(answer.content.read(), 5)


async def test_behind_tls_a_cookie_that_anybody_may_set_is_none(client: Client, world: World) -> None:
    cookie, _ = await world.sessions.sign_in(VERA, "192.0.2.1", "of somebody else")
    headers = {"Cookie": f"deployd={cookie}"}
    assert (await client.get("/", headers=headers)).status == 200
    assert (await client.get("/", headers={**headers, "X-Forwarded-Proto": "https"})).status == 401
    headers = {"Cookie": f"deployd=x; __Host-deployd={cookie}", "X-Forwarded-Proto": "https"}
    assert (await client.get("/", headers=headers)).status == 200


async def test_what_a_session_reads_of_the_api_is_not_kept_nor_taken_for_a_page(client: Client) -> None:
    await sign_in(client)
    for path in ("/api/v1/projects", "/api/v1/nothing", "/nothing"):
        headers = (await client.get(path)).headers
        assert headers["Cache-Control"] in ("no-store", "private, no-cache"), "or only after it was asked for again"
        assert headers["X-Content-Type-Options"] == "nosniff"


async def test_a_look_of_another_deployd_is_not_kept_under_its_name(client: Client) -> None:
    for query in ("", "?0123456789ab"):
        assert (await client.get(f"/console/console.js{query}")).headers["Cache-Control"] == "no-store"


@pytest.mark.parametrize("path", ["/api/v1/events", "/api/v1/activities/7/log?follow=1"])
async def test_a_session_that_was_ended_ends_what_the_api_tells_it(
    client: Client, world: World, path: str, monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("deployd.api.changes.SILENCE_SECONDS", 0.05)
    await sign_in(client)
    [session] = world.sessions.of("dora")
    async with client.get(path) as answer:
        assert answer.status == 200
        await answer.content.readany()
        await world.sessions.end(session.id, "dora")
        async with asyncio.timeout(5):
            await answer.content.read()


async def test_who_has_to_sign_in_is_led_to_a_page_and_never_to_what_it_is_told(client: Client) -> None:
    for path, place in (
        ("/activities/7/events?after=3", "/activities/7"), ("/events?from=x", "/"), ("/host?a=b", "/host?a=b"),
    ):
        fields = Page(await (await client.get(path)).text()).all("input")
        assert {field["name"]: field.get("value", "") for field in fields}["next"] == place
