"""The pages over real sockets: who sees what, that strangers' text stays text, and that nobody is shut out."""

from __future__ import annotations

import base64
import hashlib
import re
from collections.abc import AsyncIterator
from dataclasses import replace
from typing import Any

import pytest
import pytest_asyncio
from aiohttp import web
from aiohttp.test_utils import TestClient, TestServer
from structlog.testing import capture_logs

from deployd.access.caller import Caller
from deployd.access.tokens import caller_of, find_token
from deployd.activity.error_boundary import ErrorBoundary
from deployd.api.applications import Public, public_application
from deployd.console import live
from deployd.console.live import Board
from deployd.console.routes import PAGES, Console, console_routes
from deployd.http.callers import Callers
from deployd.http.door import Door
from deployd.http.event_stream import Streams
from deployd.queries.environments import EnvironmentShape, LockShape
from deployd.router.table import EnvironmentTraffic, Released, RouterStatus
from deployd.settings import Token
from tests.doubles.api import AT, FakeCommands, FakeQueries, activity, api_of, certificate, environment, mail
from tests.support.corpus import REPOSITORY
from tests.support.page import Page

Client = TestClient[web.Request, web.Application]
TOKENS = [
    Token.model_validate({"name": "vera", "role": "viewer", "secret": "secret-of-vera"}),
    Token.model_validate({"name": "carl", "role": "viewer", "secret": "secret-of-carl", "projects": ["blog"]}),
    Token.model_validate({"name": "dora", "role": "contributor", "secret": "secret-of-dora"}),
]
VERA, CARL, DORA = ({"Authorization": f"Bearer secret-of-{name}"} for name in ("vera", "carl", "dora"))
SHOP = "/projects/shop/environments/main-bvxea6i"
SHOP_LOG = f"{SHOP}/access-log"
HOSTILE = '"\'><script>alert(1)</script><img src=x onerror=alert(2)>\x00\u202e{{7*7}}</td></table>'
TRAFFIC = EnvironmentTraffic("1", True, 41.5, False, 7, Released(9, 12.43, 1, 2, 3))


def visited(**more: Any) -> dict[str, Any]:
    return {"at": AT, "client": "203.0.113.7", "method": "GET", "host": "shop.test", "path": "/", "status": 200,
            "protocol": "HTTP/2.0", "bytes": 1234, "seconds": 0.25, "cache": "", "referer": "", "user_agent": "curl",
            "request": "a1", **more}


@pytest.fixture
def queries() -> FakeQueries:
    known = [activity(1), activity(2, "blog"), activity(3, state="failed", reason="the deploy hook ended with 1")]
    log = [visited(number=number, path=f"/{number}", status=200 if number % 2 else 502) for number in range(30)]
    return FakeQueries(
        known, {0: log}, routes={"main-bvxea6i": ["https://shop.test/", "http://shop.test/"]},
        router=RouterStatus(1, 1, True, 1, {"shop/main-bvxea6i": TRAFFIC}, 7, 0, 0, 0, 0),
    )


@pytest_asyncio.fixture
async def client(queries: FakeQueries) -> AsyncIterator[Client]:
    def find(authorization: str | None) -> Caller | None:
        token = find_token(TOKENS, authorization)
        return caller_of(token) if token else None

    callers, door, commands = Callers(find), Door(), FakeCommands(queries)
    console = Console(queries=queries.by_noun, commands=commands.by_noun, callers=callers,
                      board=Board(ErrorBoundary("console")), streams=Streams(), door=door)
    app = public_application(api_of(queries, commands), console_routes(console), Public(callers, door))
    async with TestClient(TestServer(app)) as made:
        yield made


def strange_scripts(found: Page) -> list[dict[str, str]]:
    """All but the console's own, which is a file of ours."""
    return [script for script in found.all("script") if not script.get("src", "").startswith("/console/console.js?")]


async def page(client: Client, path: str, headers: dict[str, str] = VERA, status: int = 200) -> Page:
    async with client.get(path, headers=headers) as answer:
        assert (answer.status, answer.content_type) == (status, "text/html")
        return Page(await answer.text())


@pytest.mark.parametrize("path", ["/", SHOP, SHOP_LOG, "/projects/nothing"])
@pytest.mark.parametrize("headers", [{}, {"Authorization": "Bearer wrong"}, {"Authorization": "Basic !"}])
async def test_without_a_token_a_page_says_how_to_get_in(client: Client, path: str, headers: dict[str, str]) -> None:
    async with client.get(path, headers=headers) as answer:
        assert (answer.status, answer.headers["WWW-Authenticate"]) == (401, 'Bearer realm="deployd"')
        said = Page(await answer.text()).said
    assert "the same token that git push takes as a password" in said
    assert "shop" not in said


async def test_the_address_of_a_wrong_token_is_in_the_operators_log_and_the_token_is_not(client: Client) -> None:
    with capture_logs() as logs:
        await page(client, "/", {}, 401)
        await page(client, "/", {"Authorization": "Bearer wrong"}, 401)
    assert [item["event"] for item in logs] == ["sign_in_failed"]
    assert "wrong" not in str(logs)


async def test_a_token_is_the_password_of_any_name(client: Client) -> None:
    basic = base64.b64encode(b"whoever:secret-of-vera").decode()
    assert "vera viewer" in (await page(client, "/", {"Authorization": f"Basic {basic}"})).said


def thousand() -> list[EnvironmentShape]:
    """As long as people write them, and no two alike."""
    digests = [hashlib.sha256(str(number).encode()).hexdigest() for number in range(1000)]
    return [
        environment(
            "shop", f"feature/{text[:20]}", name=f"feature-{text[:20]}-{text[20:27]}", type="development",
            url=f"http://feature-{text[:20]}-{text[20:27]}-shop.apps.example.test/", commit=text[:40],
            subject=f"{text[40:]} and what else people write there, which is more", author=f"Ada {text[30:40]}",
        ) for text in digests
    ]


async def test_the_page_of_a_thousand_environments_is_small_and_a_change_is_smaller(
    client: Client, queries: FakeQueries,
) -> None:
    queries.running = thousand()
    async with client.get("/", headers=VERA) as answer:
        text = await answer.text()
        assert answer.headers["Content-Encoding"] == "gzip"
        assert text.count('<tr role="row" id="e.') == 1000
        assert int(answer.headers["Content-Length"]) < 150_000
    changed = replace(queries.running[7], lock=LockShape(who="ada", reason="x" * 500, since=AT))
    queries.running[7] = changed
    address = text.partition('data-live="')[2].partition('"')[0]
    async with client.get("/", headers=VERA) as answer:   # it is looked once more
        assert answer.status == 200
    async with client.get(address, headers=VERA) as events:
        told = b""
        while not told.endswith(b"\n\n") or b"event: part" not in told:
            told += await events.content.readany()
    assert b"locked" in told
    assert changed.branch.encode() in told
    assert (told.count(b"event: "), len(told) < 2_000) == (1, True)


async def test_of_an_overview_that_is_loaded_again_only_what_changed_is_rendered(
    client: Client, queries: FakeQueries, monkeypatch: pytest.MonkeyPatch,
) -> None:
    queries.running = thousand()
    rendered: list[str] = []
    render = live.render_part
    monkeypatch.setattr(live, "render_part", lambda name, *more: rendered.append(name) or render(name, *more))
    for count in (1001, 0, 1):
        rendered.clear()
        async with client.get("/", headers=VERA) as answer:
            assert (await answer.text()).count("people write there") == 1000
        assert len(rendered) == count
        if not count:
            queries.running[7] = replace(queries.running[7], state="failed")


async def test_projects_of_others_are_not_there(client: Client, queries: FakeQueries) -> None:
    queries.reasons = ("shop/main: an undo is stuck",)
    seen = await page(client, "/", CARL)
    assert "Blog" in seen.said
    assert "shop" not in seen.said.lower()
    assert "an undo is stuck" in (await page(client, "/")).said
    for path in (SHOP, SHOP_LOG):
        told = (await page(client, path, CARL, 404)).said
        assert told.replace("shop", "xxxx") == (await page(client, path.replace("shop", "xxxx"), CARL, 404)).said


async def test_the_overview_says_what_is_live_and_what_visitors_see(client: Client) -> None:
    found = await page(client, "/")
    assert found.cells[6:12] == [
        "main production", "● live", "48c43b99 Mend the door Ada, 2026-05-04 10:00",
        "◐ held 7 requests, the longest for 12.4 s; ends in 42 s at most", "▲ failed push 3 2026-05-04 10:00",
        "shop.test",
    ]
    assert {SHOP, "http://shop.test/"} <= set(found.links)


@pytest.mark.parametrize(("words", "there"), [
    ("main+mend", True), ("FAILED+push+3", True), ("held", True), ("main+nothing-like-it", False), ("push_3", False),
])
async def test_the_overview_is_filtered_by_what_stands_in_a_row(client: Client, words: str, there: bool) -> None:
    assert (SHOP in (await page(client, f"/?q={words}")).links) is there


async def test_an_environment_shows_addresses_freeze_and_activities(client: Client, queries: FakeQueries) -> None:
    queries.hosts = [certificate("shop.test", "shop", state="refused", ends="", why="no DNS record", again_at=AT)]
    found = await page(client, SHOP)
    addresses, activities = found.cells.index("https://shop.test/"), found.cells.index("push 3")
    assert found.cells[addresses:addresses + 8] == [
        "https://shop.test/", "▲ refused", "", "from an authority: no DNS record; asked for again 2026-05-04 10:00",
        "http://shop.test/", "without TLS", "", "",
    ]
    assert "Held now 7 Longest wait 12.4 s Released 2 Expired 1 Left 2 Refused 3" in found.said
    assert found.cells[activities:activities + 7] == [
        "push 3", "▲ failed", "48c43b99", "ada git", "2026-05-04 10:00", "3.4 s", "the deploy hook ended with 1",
    ]
    assert SHOP_LOG in found.links


async def test_an_environment_is_found_by_its_branch_too(client: Client, queries: FakeQueries) -> None:
    queries.running = [environment("shop", "feature/x", name="feature-x-1", type="development")]
    found = await page(client, "/projects/shop/environments/feature%2Fx")
    assert "/projects/shop/environments/feature-x-1/access-log" in found.links


async def test_an_access_log_shows_the_newest_requests_first(client: Client) -> None:
    found = await page(client, f"{SHOP_LOG}?lines=20")
    assert found.cells[8:16] == [
        "2026-05-04 10:00:00", "GET", "/29", "200", "0.250", "1,234", "203.0.113.7", "curl"]
    assert len(found.all("tr")) == 21
    assert "shop.test" not in found.cells[10]


async def test_an_access_log_is_filtered(client: Client) -> None:
    found = await page(client, f"{SHOP_LOG}?status=5xx&path=/2&lines=20")
    assert found.cells[10::8] == [f"/{number}" for number in (28, 26, 24, 22, 20, 2)]
    assert "6 of the last 30 fit" in found.said
    assert [item["value"] for item in found.all("option") if "selected" in item and "value" in item] == ["5xx"]
    assert next(item["value"] for item in found.all("input") if item.get("name") == "path") == "/2"
    assert "None of the last 30 requests is like that." in (await page(client, f"{SHOP_LOG}?path=nowhere")).said
    assert "status cannot be" in (await page(client, f"{SHOP_LOG}?status=9xx", status=400)).said.lower()


def printed(number: int, text: str, **more: Any) -> dict[str, Any]:
    return {"time": f"2026-05-04T10:00:{number:02}.5Z", "kind": "app", "app": "shop", "name": "shop", "text": text,
            "stream": "stdout", "version": 1, **more}


async def test_output_shows_the_newest_lines_and_may_be_filtered(client: Client, queries: FakeQueries) -> None:
    queries.printed = [printed(number, f"line {number}") for number in range(30)]
    queries.printed.append(printed(30, HOSTILE, kind="worker", name="mailer"))
    found = await page(client, f"{SHOP}/logs?lines=20")
    assert found.cells[3:6] == ["2026-05-04 10:00:11", "app shop", "line 11"]
    assert len(found.all("tr")) == 21
    assert strange_scripts(found) == []
    found = await page(client, f"{SHOP}/logs?kind=worker&text=MAIL")
    assert found.cells[3:5] == ["2026-05-04 10:00:30", "worker mailer"]
    assert "1 of the last 31 lines" in found.said
    assert [asked[2] for asked in queries.asked_output] == [20, 5_000]
    assert "None of the last 31 lines is like that." in (await page(client, f"{SHOP}/logs?text=nowhere")).said
    assert "kind cannot be" in (await page(client, f"{SHOP}/logs?kind=x", status=400)).said.lower()
    queries.printed = []
    assert "Nothing was printed yet" in (await page(client, f"{SHOP}/logs")).said


async def test_huge_lines_of_output_are_searched_whole_and_shown_in_part(client: Client, queries: FakeQueries) -> None:
    queries.printed = [printed(number, f"line {number} {400_000 * 'x'} needle") for number in range(55)]
    found = await page(client, f"{SHOP}/logs?text=needle")
    assert "55 of the last 55 lines" in found.said
    assert found.cells[-1].startswith("line 54 xxx")
    assert all(len(cell) < 2_100 for cell in found.cells)


async def test_mails_are_shown_to_contributors_and_led_to_as_files(client: Client, queries: FakeQueries) -> None:
    queries.mailed = [mail(
        2, recipients=tuple(f"{n}@c.test" for n in range(7)), subject=HOSTILE, size_bytes=900, state="waits",
        why=HOSTILE, tries=1, again_at="2026-05-04T10:01:00+00:00",
    )]
    found = await page(client, f"{SHOP}/mail", DORA)
    assert found.cells[7:10] == ["◐ waits", "2026-05-04 10:00",
                                 "0@c.test, 1@c.test, 2@c.test, 3@c.test, 4@c.test and 2 more"]
    assert strange_scripts(found) == []
    assert f"/api/v1{SHOP}/mail/2" in found.links
    assert f"{SHOP}/mail" in (await page(client, SHOP)).links
    await page(client, f"{SHOP}/mail", VERA, status=403)
    queries.mailed = []
    assert "No mail lies here." in (await page(client, f"{SHOP}/mail", DORA)).said


async def test_what_was_killed_stands_on_the_environments_page(client: Client, queries: FakeQueries) -> None:
    queries.running = [environment("shop", killed=("the kernel killed a process of the worker mailer",))]
    assert "the kernel killed a process of the worker mailer" in (await page(client, SHOP)).said


async def test_several_hosts_are_told_apart(client: Client, queries: FakeQueries) -> None:
    queries.logs[0] = [visited(number=0), visited(number=1, host="www.shop.test", status=0)]
    found = await page(client, SHOP_LOG)
    assert found.cells[10:12] == ["www.shop.test /", "left"]


async def test_a_page_loads_itself_again_only_when_it_is_asked_to(client: Client) -> None:
    def refreshes(found: Page) -> bool:
        return any(item.get("http-equiv") == "refresh" for item in found.all("meta"))

    assert not refreshes(await page(client, f"{SHOP_LOG}?path=x"))
    found = await page(client, f"{SHOP_LOG}?path=x&follow=1")
    assert refreshes(found)
    assert "?path=x&lines=100" in found.links, "a way to stop it"


async def test_what_strangers_write_stays_text(client: Client, queries: FakeQueries) -> None:
    theirs = dict.fromkeys(("client", "method", "host", "path", "user_agent", "at"), HOSTILE)
    queries.logs[0] = [visited(number=0, **theirs), visited(number=1, path="/\ud800")]
    queries.known = [activity(1, reason=HOSTILE, who=HOSTILE)]
    queries.titles = {"shop": HOSTILE}
    queries.running = [environment("shop", HOSTILE)]
    queries.hosts = [certificate("shop.test", "shop", why=HOSTILE)]
    queries.reasons = (HOSTILE,)
    told = HOSTILE.replace("\x00", "\ufffd")
    for path in ("/", SHOP, SHOP_LOG, f"{SHOP_LOG}?path=%22%3E%3Cscript%3E", "/projects/%3Cscript%3E"):
        found = await page(client, path, status=404 if "projects/%3C" in path else 200)
        assert strange_scripts(found) == [], path
        assert [item["src"] for item in found.all("img") if not item["src"].startswith("/console/")] == []
        assert not any("onerror" in attributes for _, attributes in found.elements)
    assert told in [cell.replace("\x00", "\ufffd") for cell in (await page(client, SHOP_LOG)).cells]


@pytest.mark.parametrize("path", ["/", SHOP, SHOP_LOG, f"{SHOP_LOG}?path=nowhere", "/projects/nothing"])
async def test_pages_are_read_by_everybody(client: Client, path: str) -> None:
    found = await page(client, path, status=404 if path.endswith("nothing") else 200)
    assert found.all("html") == [{"lang": "en"}]
    assert (len(found.all("h1")), len(found.all("main")), len(found.all("title"))) == (1, 1, 1)
    assert found.links[0] == "#main", "who uses a keyboard gets past the head first"
    assert len(found.all("caption")) == len(found.all("table"))
    assert all(item.get("scope") in ("col", "row") for item in found.all("th"))
    labelled = {item["for"] for item in found.all("label")}
    assert {item["id"] for tag in ("select", "input") for item in found.all(tag)} == labelled
    ids = [attributes["id"] for _, attributes in found.elements if "id" in attributes]
    assert len(ids) == len(set(ids))
    assert strange_scripts(found) == []
    assert not found.all("style")
    assert not any(name == "style" or name.startswith("on") for _, item in found.elements for name in item)


@pytest.mark.parametrize(("path", "headers"), [("/", VERA), ("/", {}), (SHOP_LOG, VERA), ("/projects/x", VERA)])
async def test_browsers_are_told_to_allow_nothing_and_keep_nothing(
    client: Client, path: str, headers: dict[str, str],
) -> None:
    async with client.get(path, headers=headers) as answer:
        policy = answer.headers["Content-Security-Policy"]
        assert "default-src 'none'" in policy
        assert "unsafe" not in policy
        assert answer.headers["Referrer-Policy"] == "same-origin", "without it forms would come from nowhere"
        assert answer.headers["X-Content-Type-Options"] == "nosniff"
        assert answer.headers["Cache-Control"] == "no-store"


async def test_the_look_of_pages_needs_no_token_and_is_kept(client: Client) -> None:
    found = await page(client, "/", {}, 401)
    for link in found.all("link"):
        async with client.get(link["href"]) as answer:
            assert answer.status == 200
            assert answer.content_type in ("text/css", "image/svg+xml")
            assert "immutable" in answer.headers["Cache-Control"]
    async with client.get("/console/../routes.py") as answer:
        assert answer.status == 404


async def test_pages_are_only_read(client: Client) -> None:
    for path in ("/", SHOP, SHOP_LOG):
        async with client.post(path, headers=VERA) as answer:
            assert answer.status == 405
    for path in ("/", SHOP, SHOP_LOG):
        assert all(item["method"] == "get" for item in (await page(client, path)).all("form"))


async def test_a_bug_is_a_page_with_a_name_that_is_in_the_log_too(client: Client, queries: FakeQueries) -> None:
    queries.bug = ZeroDivisionError("a secret of the inside")
    with capture_logs() as logs:
        said = (await page(client, "/", status=500)).said
    assert f"incident {logs[0]['incident']}" in said
    assert "secret" not in said


async def test_who_has_nothing_yet_reads_what_to_do_next(client: Client, queries: FakeQueries) -> None:
    queries.running = [replace(environment("shop"), commit="", state="new", activity=None, since="")]
    queries.known, queries.routes, queries.logs = [], {}, {}
    said = (await page(client, "/")).said
    assert "git remote add deployd http://127.0.0.1:8480/git/blog.git git push deployd main" in said
    assert "Nothing is live, so no route leads here" in (await page(client, SHOP)).said
    assert "Nobody has visited yet" in (await page(client, SHOP_LOG)).said
    queries.titles = {}
    assert "touch /etc/deployd/projects.d/blog.yaml" in (await page(client, "/")).said
    assert "no project that the token of carl may see" in (await page(client, "/", CARL)).said


async def test_a_router_that_does_not_answer_is_said(client: Client, queries: FakeQueries) -> None:
    queries.router = None
    assert "○ unknown the router does not answer" in (await page(client, "/")).cells
    assert "nothing is known of its freezes" in (await page(client, SHOP)).said


def test_every_page_is_documented() -> None:
    named = re.findall(r"^## `(.*)`$", (REPOSITORY / "docs/console.md").read_text(), re.MULTILINE)
    assert named == list(PAGES)
