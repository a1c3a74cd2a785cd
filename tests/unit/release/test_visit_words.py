"""What answers mean, what is shown of them, and which of them stand on /status."""

from __future__ import annotations

import sqlite3
from datetime import UTC, datetime, timedelta

import pytest

from deployd.environment.naming import machine_name
from deployd.ids import EnvironmentId, ProjectId
from deployd.release.answers.page_text import LONGEST_LINE, first_lines
from deployd.release.answers.visit import asked, url_of
from deployd.release.answers.visit_words import Visit, sentence, usually, worse_than_usual
from deployd.router.table import Route, Target
from deployd.settings import RouterSettings, Settings
from deployd.state.answers import put_usual, put_wrong, remove, usual, wrong_ones
from tests.doubles.store import MemoryStore

URL, SHOP, MAIN = "http://shop.test/", ProjectId("shop"), machine_name("main")
HERE = EnvironmentId(SHOP, MAIN)
NOW = datetime(2026, 3, 2, 10, 0, tzinfo=UTC)
PAGE = """\
<!DOCTYPE html><html><head><title>DisallowedHost at /</title><style>body { color: red }</style>
<script>alert("<p>never seen</p>")</script></head>
<body><h1>DisallowedHost at /</h1><!-- <p>nor this --><p>Invalid <b>HTTP_HOST</b> header: &#x27;shop&#x27;.</p>
<p>You may need to add it to ALLOWED_HOSTS.</p><p>a fourth</p><p>a fifth</p></body></html>
"""


def test_of_a_page_what_a_person_reads_is_shown() -> None:
    assert first_lines(PAGE.encode(), "text/html; charset=utf-8") == (
        "DisallowedHost at /", "Invalid HTTP_HOST header: 'shop'.", "You may need to add it to ALLOWED_HOSTS.",
        "a fourth",
    )


@pytest.mark.parametrize(("body", "kind", "shown"), [
    (b"plain\r\n\r\n  two   words\n", "text/plain", ("plain", "two words")),
    (b'{"error": "no"}', "application/problem+json", ('{"error": "no"}',)),
    (b"\x89PNG\r\n", "image/png", ()),
    (b"<p>no type", "", ("no type",)),
    (b"\x1b[31mred\x1b]0;title\x07\x00\x08 end\xff", "text/plain", ("red end\ufffd",)),
    (b"&lt;script&gt;&#27;[2J", "text/html", ("<script>[2J",)),
    (b"x" * 9999, "text/plain", ("x" * LONGEST_LINE + "…",)),
    (b"before<script>var a", "text/html", ("before",)),
    (b"before<!-- for ever", "text/html", ("before",)),
    (b"before<a href", "text/html", ("before",)),
    ("\u0130<STYLE>x</STYLE>after".encode(), "text/html", ("\u0130", "after")),
    (b"", "text/html", ()),
], ids=str)
def test_whatever_a_page_is_it_is_shown_as_plain_lines(body: bytes, kind: str, shown: tuple[str, ...]) -> None:
    assert first_lines(body, kind) == shown


@pytest.mark.parametrize("piece", ["<", "<script>", "</", "<!--", "<p>", "&#", "\x1b]", "<svg", "</script"])
def test_no_page_takes_long_to_read(piece: str) -> None:
    assert len(first_lines(piece.encode() * 30_000, "text/html")) <= 4


@pytest.mark.parametrize(("visit", "said"), [
    (Visit(URL, 400), "visitors get 400 Bad Request at http://shop.test/: mostly a framework that does not know this"),
    (Visit(URL, 400, ("Invalid HTTP_HOST, see ALLOWED_HOSTS",)), "Django does not know this host"),
    (Visit(URL, 403, ("Blocked host: shop.test",)), "config.hosts"),
    (Visit(URL, 404), "`index` or `passthru`"),
    (Visit(URL, 418), "the application refuses it"),
    (Visit(URL, 599), "visitors get 599 at http://shop.test/: the application failed"),
    (Visit(URL, 301, in_circles=True), "301 Moved Permanently, which leads to itself"),
    (Visit(URL, why="no answer within 5 s"), "visitors get no answer within 5 s at"),
])
def test_an_answer_is_told_with_what_is_usually_meant(visit: Visit, said: str) -> None:
    assert not visit.is_well
    assert said in sentence(visit)


@pytest.mark.parametrize("status", [200, 204, 301, 399])
def test_what_is_well_means_nothing(status: int) -> None:
    assert Visit(URL, status).is_well
    assert usually(Visit(URL, status)) == ""


@pytest.mark.parametrize(("now", "before", "worse"), [
    (503, 200, True), (503, None, True), (404, 404, False), (404, 200, True), (200, 503, False), (503, 503, True),
    (0, 0, True), (403, 404, True), (429, 200, False),
])
def test_only_what_is_worse_than_it_was_is_wrong_and_errors_of_a_server_always(
    now: int, before: int | None, worse: bool,
) -> None:
    known = {URL: before} if before is not None else {}
    assert bool(worse_than_usual([Visit(URL, now)], known)) is worse


def test_one_url_of_each_host_and_container_is_asked() -> None:
    one, two = (Target(f"10.0.0.{number}", 80) for number in (1, 2))

    def route(host: str, path: str, *targets: Target, kind: str = "upstream") -> Route:
        return Route("http", host, path, kind, targets)   # type: ignore[arg-type]

    routes = [
        route("a.test", "/", kind="redirect"), route("a.test", "/", one), route("a.test", "/blog/", one),
        route("a.test", "/api/", two), route("b.test", "/", one), route("*.test", "/", one), route("c.test", "/"),
    ]
    assert asked(routes) == [routes[1], routes[3], routes[4]]
    assert len(asked([route(f"{number}.test", "/", one) for number in range(99)])) == 5


@pytest.mark.parametrize(("scheme", "ports", "url"), [
    ("http", {}, "http://a.test/x/"), ("https", {}, "https://a.test/x/"),
    ("http", {"http_port": 8080}, "http://a.test:8080/x/"), ("https", {"https_port": 8443}, "https://a.test:8443/x/"),
])
def test_a_url_is_what_visitors_write(scheme: str, ports: dict[str, int], url: str) -> None:
    route = Route(scheme, "a.test", "/x/", "upstream")   # type: ignore[arg-type]
    assert url_of(route, RouterSettings(**ports)) == url


def test_what_a_new_version_has_to_answer_is_said_of_a_branch_a_project_or_all() -> None:
    settings = Settings.model_validate({"answer": "success", "projects": {
        "shop": {"answer": "any", "environments": {"main": {"answer": "success"}, "dev": {}}}, "blog": {},
    }})
    shop, blog = (settings.projects[ProjectId(name)] for name in ("shop", "blog"))
    assert [settings.answer_of(shop, name) for name in ("main", "dev", "x")] == ["success", "any", "any"]
    assert settings.answer_of(blog, "main") == "success"


@pytest.fixture
def db() -> sqlite3.Connection:
    return MemoryStore().db


def test_wrong_answers_are_kept_until_they_are_well(db: sqlite3.Connection) -> None:
    put_usual(db, HERE, {URL: 200, URL + "x": 404}, NOW)
    assert usual(db, HERE) == {URL: 200, URL + "x": 404}
    assert put_wrong(db, HERE, {URL: "503 Service Unavailable"}, NOW)
    assert not put_wrong(db, HERE, {URL: "503 Service Unavailable"}, NOW + timedelta(hours=1))
    assert put_wrong(db, HERE, {URL: "500"}, NOW + timedelta(hours=2))
    [wrong] = wrong_ones(db)
    assert wrong.said == "visitors get 500 at http://shop.test/ since 2026-03-02 10:00 UTC"
    assert put_wrong(db, HERE, {}, NOW)
    assert wrong_ones(db) == []
    assert usual(db, HERE) == {URL: 200, URL + "x": 404}
    put_wrong(db, HERE, {URL: "500"}, NOW)
    remove(db, HERE)
    assert (wrong_ones(db), usual(db, HERE)) == ([], {})


def test_a_new_version_clears_what_was_wrong_when_it_is_better(db: sqlite3.Connection) -> None:
    put_wrong(db, HERE, {URL: "503", URL + "x": "503", URL + "gone": "503"}, NOW)
    put_usual(db, HERE, {URL: 200, URL + "x": 503}, NOW)
    assert [item.url for item in wrong_ones(db)] == [URL + "x"]
