"""What the pages say, and which requests of an access log they choose: without a page and without a daemon."""

from __future__ import annotations

from typing import Any

import pytest

from deployd.console.access_log import STATUSES, WantedRequests, newest_of, parse_request, parse_wanted_requests
from deployd.console.lines import LINES
from deployd.console.overview import grouped
from deployd.console.render import duration, moment, state
from deployd.console.visitors import visitors_now
from deployd.errors import Unusable
from deployd.router.table import EnvironmentTraffic, Released, RouterStatus
from tests.doubles.api import AT, FakeQueries, activity, environment

SHOP = environment("shop")
LOG = [{"path": path, "status": status} for path, status in (
    ("/", 200), ("/cart?item=1", 302), ("/CART", 404), ("/cart", 502), ("/slow", 0), ("/", 200),
)]


def router(name: str = "shop/main-bvxea6i", **more: Any) -> RouterStatus:
    values: dict[str, Any] = {"version": "1", "frozen": False, "seconds_left": 0.0, "maintenance": False,
                              "held_now": 0, "freeze": Released(), **more}
    return RouterStatus(1, 1, True, 1, {name: EnvironmentTraffic(**values)}, 0, 0, 0, 0, 0)


@pytest.mark.parametrize(("known", "see", "more"), [
    (None, "unknown", "the router does not answer"),
    (router("blog/main-bvxea6i"), "nothing", ""),
    (router(version=""), "nothing", ""),
    (router(), "open", ""),
    (router(frozen=True, seconds_left=59.7), "held", "nobody waits; ends in 60 s at most"),
    (router(frozen=True, seconds_left=2, held_now=1, freeze=Released(1, 57.94)), "held",
     "1 request, the longest for 57.9 s; ends in 2 s at most"),
    (router(version="", frozen=True, seconds_left=9, held_now=1200, freeze=Released(1200, 3)), "held",
     "1,200 requests, the longest for 3.0 s; ends in 9 s at most"),
    (router(maintenance=True), "maintenance", "503, until the next switch"),
    (router(frozen=True, maintenance=True, held_now=3), "maintenance", "503, until the next switch"),
])
def test_what_visitors_see_is_what_the_router_says(known: RouterStatus | None, see: str, more: str) -> None:
    found = visitors_now(SHOP, known)
    assert (found.see, found.more) == (see, more)


async def test_environments_stand_under_their_projects_production_first() -> None:
    queries = FakeQueries([activity(1), activity(7), activity(8, "blog")], running=(
        environment("shop", "a", name="a-1", type="development"), SHOP, environment("other"),
    ))
    shop, blog = grouped(await queries.projects(), queries.running, await queries.newest(), router())
    assert [row.environment.branch for row in shop.rows] == ["main", "a"]
    assert [row.newest.id if row.newest else None for row in shop.rows] == [7, None]
    assert [row.visitors.see for row in shop.rows] == ["open", "nothing"]
    assert (blog.project.id, blog.rows) == ("blog", ())


@pytest.mark.parametrize(("query", "paths"), [
    ({}, ["/", "/slow", "/cart", "/CART", "/cart?item=1", "/"]),
    ({"status": "5xx"}, ["/cart"]),
    ({"status": "0"}, ["/slow"]),
    ({"path": "cart"}, ["/cart", "/CART", "/cart?item=1"]),
    ({"path": " ITEM=1 "}, ["/cart?item=1"]),
    ({"path": "cart", "status": "4xx"}, ["/CART"]),
    ({"path": "nothing"}, []),
])
def test_the_wanted_requests_come_newest_first(query: dict[str, str], paths: list[str]) -> None:
    assert [request.path for request in newest_of(LOG, parse_wanted_requests(query))] == paths


def test_no_more_lines_come_than_are_wanted_and_a_filter_looks_further_back() -> None:
    many = LOG * 10
    assert len(newest_of(many, parse_wanted_requests({"lines": "20"}))) == 20
    assert len(newest_of(many, parse_wanted_requests({"lines": "20", "status": "5xx"}))) == 10
    assert parse_wanted_requests({"lines": "20"}).looks_at == 20
    assert parse_wanted_requests({"lines": "20", "path": "x"}).looks_at > max(LINES)


@pytest.mark.parametrize("query", [
    {"status": "200"}, {"status": "<script>"}, {"lines": "0"}, {"lines": "-1"}, {"lines": "9" * 5000}, {"lines": "٣"},
])
def test_a_filter_that_the_form_does_not_offer_is_refused(query: dict[str, str]) -> None:
    with pytest.raises(Unusable):
        parse_wanted_requests(query)


def test_the_filter_survives_in_an_address() -> None:
    wanted = WantedRequests("5xx", "/a b&c=%41", 500, follow=True)
    assert wanted.query == "status=5xx&path=%2Fa+b%26c%3D%2541&lines=500&follow=1"
    assert wanted.still == WantedRequests("5xx", "/a b&c=%41", 500)
    assert all(parse_wanted_requests({"status": status}).status == status for status in STATUSES)


def test_a_line_of_an_earlier_deployd_lacks_nothing() -> None:
    found = parse_request({"path": "/", "later": "than ours"})
    assert (found.path, found.user_agent, found.bytes, found.seconds) == ("/", "", 0, 0.0)


def test_figures_and_states_are_told_for_people() -> None:
    assert [duration(value) for value in (None, 0.04, 59.9, 125.4)] == ["", "0.0 s", "59.9 s", "2 min 5 s"]
    assert moment(AT) == f'<time datetime="{AT}">2026-05-04 10:00</time>'
    assert moment("") == ""
    assert state("in_progress") == '<span class="state busy"><span aria-hidden="true">◐</span> in progress</span>'
    assert "quiet" in state("superseded")
