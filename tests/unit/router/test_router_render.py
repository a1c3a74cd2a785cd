"""The JSON for the control socket: complete, without nulls, the same for equal route sets."""

from __future__ import annotations

import json
from typing import Any

from deployd.project.model import PathRedirect
from deployd.router.render import render_route_set
from deployd.router.table import Access, AddressRule, Route, RouteSet, Target

A, B = Target("10.0.0.2", 80, "shop"), Target("fd00::2", 8080)


def rendered(*routes: Route, **more: Any) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(render_route_set(RouteSet("shop/main", "7", routes, **more)))
    return found


def test_a_set_names_its_environment_version_and_hosts() -> None:
    document = rendered(Route("http", "b.test", "/", "upstream", (A,)), Route("https", "a.test", "/", "upstream", (A,)),
                        Route("http", "a.test", "/x", "upstream", (A,)), robots=True)
    assert (document["environment"], document["version"], document["robots"]) == ("shop/main", "7", True)
    assert document["hosts"] == ["a.test", "b.test"]


def test_the_pace_counts_each_web_container_once() -> None:
    one = Route("http", "a.test", "/", "upstream", (A, B))
    assert rendered(one, Route("http", "b.test", "/", "upstream", (A,)))["pace"] == 128
    assert rendered(Route("http", "a.test", "/", "redirect", to="http://b.test/"))["pace"] == 64
    assert json.loads(render_route_set(RouteSet("shop/main", "7", (one,)), pace=1))["pace"] == 2


def test_addresses_of_version_six_are_bracketed() -> None:
    assert rendered(Route("http", "a.test", "/", "upstream", (A, B)))["routes"][0]["targets"] == [
        ["10.0.0.2", 80], ["[fd00::2]", 8080],
    ]


def test_what_is_not_said_is_left_out_and_never_null() -> None:
    route = rendered(Route("http", "a.test", "/", "upstream", (A,)))["routes"][0]
    assert "to" not in route
    assert "outside_host" not in route
    assert None not in route.values()


def test_a_proxy_keeps_its_path_unless_its_target_has_one() -> None:
    kept = rendered(Route("http", "a.test", "/", "proxy", (A,), to="https://user@docs.test:8443"))["routes"][0]
    assert (kept["outside_host"], kept["outside_tls"], "outside_path" in kept) == ("docs.test:8443", True, False)
    replaced = rendered(Route("http", "a.test", "/x/", "proxy", (A,), to="http://docs.test/"))["routes"][0]
    assert (replaced["outside_tls"], replaced["outside_path"]) == (False, "/")


def test_prefixes_lose_a_trailing_slash_but_patterns_and_single_paths_stay_as_they_are() -> None:
    rules = (PathRedirect("/from/", "/to"), PathRedirect("/", "/home"), PathRedirect("^/a/(.*)/", "/$1", regexp=True),
             PathRedirect("/only/", "/x", prefix=False))
    route = rendered(Route("http", "a.test", "/", "upstream", (A,), redirects=rules))["routes"][0]
    assert [rule["path"] for rule in route["redirects"]] == ["/from", "/", "^/a/(.*)/", "/only/"]


def test_paths_are_decoded_as_nginx_decodes_what_it_compares_them_with() -> None:
    route = rendered(Route("http", "a.test", "/caf%C3%A9/", "proxy", (A,), to="http://docs.test/a%20b/"))["routes"][0]
    assert (route["path"], route["outside_path"]) == ("/café/", "/a%20b/")   # the router passes the second one on
    rules = (PathRedirect("/caf%C3%A9", "/x"), PathRedirect("^/%C3", "/$1", regexp=True))
    redirects = rendered(Route("http", "a.test", "/", "upstream", (A,), redirects=rules))["routes"][0]["redirects"]
    assert [rule["path"] for rule in redirects] == ["/café", "^/%C3"]


def test_equal_sets_give_equal_text() -> None:
    first = RouteSet("shop/main", "7", (Route("http", "a.test", "/", "upstream", (A,)),))
    second = RouteSet("shop/main", "7", (Route("http", "a.test", "/", "upstream", (A,)),))
    assert render_route_set(first) == render_route_set(second)


def test_access_is_left_out_when_everybody_may_and_networks_are_bytes_otherwise() -> None:
    one = Route("http", "a.test", "/", "upstream", (A,))
    assert "access" not in rendered(one)
    rules = (AddressRule(True, "192.0.2.7/24"), AddressRule(False, "::/0"))
    assert rendered(one, access=Access({"ada": "$6$x"}, rules))["access"] == {
        "users": {"ada": "$6$x"},
        "rules": [{"allow": True, "network": "c0000200", "bits": 24}, {"allow": False, "network": "0" * 32, "bits": 0}],
    }
