"""Routes of an environment, placeholders resolved (configuration format 6.2, 6.3, 6.5)."""

from __future__ import annotations

from dataclasses import replace

from deployd.environment.domains import Domains
from deployd.environment.routes import resolve_routes
from deployd.project.model import PathRedirect, RouteTemplate

DEVELOPMENT = Domains("main-abc-shop.example.net")
PRODUCTION = Domains("main-abc-shop.example.net", own=("shop.com", "shop.de"))


def upstream(url: str, **more: object) -> RouteTemplate:
    return RouteTemplate(url, "upstream", upstream="shop", endpoint="http", **more)  # type: ignore[arg-type]


def urls(*templates: RouteTemplate, domains: Domains = DEVELOPMENT) -> dict[str, str]:
    return {route.url: route.to or route.type for route in resolve_routes(templates, domains).routes}


def written(*templates: RouteTemplate, domains: Domains = DEVELOPMENT) -> dict[str, str]:
    """Without the routes that are made for the other scheme."""
    return {
        route.url: route.to or route.type for route in resolve_routes(templates, domains).routes
        if route.original_url == route.template.url
    }


def test_a_slash_is_added_and_http_redirects_to_https() -> None:
    assert urls(upstream("https://{default}")) == {
        "https://main-abc-shop.example.net/": "upstream",
        "http://main-abc-shop.example.net/": "https://main-abc-shop.example.net/",
    }


def test_an_http_route_of_the_file_replaces_the_automatic_redirect() -> None:
    found = urls(upstream("https://{default}/"), upstream("http://{default}/"))
    assert found["http://main-abc-shop.example.net/"] == "upstream"


def test_routes_over_http_alone_are_there_over_https_too() -> None:
    www = RouteTemplate("http://www.{default}/", "redirect", to="http://{default}/")
    assert urls(upstream("http://{default}/"), www, upstream("http://api.{default}/v1")) == {
        "http://main-abc-shop.example.net/": "upstream", "https://main-abc-shop.example.net/": "upstream",
        "http://www.main-abc-shop.example.net/": "http://main-abc-shop.example.net/",
        "https://www.main-abc-shop.example.net/": "http://main-abc-shop.example.net/",
        "http://api.main-abc-shop.example.net/v1": "upstream", "https://api.main-abc-shop.example.net/v1": "upstream",
    }, "as the platforms told at the end of a push"
    assert urls(upstream("http://{all}/"), upstream("http://{default}"), domains=PRODUCTION) == {
        f"{scheme}://{host}/": "upstream" for scheme in ("http", "https") for host in ("shop.com", "shop.de")
    }
    first, made = resolve_routes([upstream("http://{default}/", id="shop")], Domains("x.net", https_port=8443)).routes
    assert (made.url, made.original_url) == ("https://x.net:8443/", "https://{default}/")
    assert (first.primary, made.primary, made.template) == (True, False, first.template)


def test_a_host_of_which_the_file_says_something_over_https_gets_nothing_more() -> None:
    found = urls(upstream("https://{default}/"), upstream("http://{default}/old"),
                 RouteTemplate("http://www.{default}/", "redirect", to="https://{default}/"))
    assert found == {
        "https://main-abc-shop.example.net/": "upstream", "http://main-abc-shop.example.net/old": "upstream",
        "http://main-abc-shop.example.net/": "https://main-abc-shop.example.net/",
        "http://www.main-abc-shop.example.net/": "https://main-abc-shop.example.net/",
        "https://www.main-abc-shop.example.net/": "https://main-abc-shop.example.net/",
    }


def test_no_redirect_over_https_leads_to_itself() -> None:
    for host in ("{default}", "*.{default}", "shop.com"):
        for port in (443, 8443):
            domains = Domains("x.net", ("shop.com",), https_port=port)
            found = urls(RouteTemplate(f"http://{host}/", "redirect", to=f"https://{host}/"), domains=domains)
            assert len(found) == 1, host


def test_all_means_every_domain_in_production_and_the_default_host_elsewhere() -> None:
    assert written(upstream("http://{all}/"), domains=PRODUCTION) == {
        "http://shop.com/": "upstream", "http://shop.de/": "upstream",
    }
    assert written(upstream("http://{all}/")) == {"http://main-abc-shop.example.net/": "upstream"}


def test_all_in_a_target_is_the_domain_of_its_own_route() -> None:
    www = RouteTemplate("http://www.{all}/", "redirect", to="http://{all}/")
    assert written(www, domains=PRODUCTION) == {
        "http://www.shop.com/": "http://shop.com/", "http://www.shop.de/": "http://shop.de/",
    }
    old = RouteTemplate("http://old.shop.com/", "redirect", to="http://{all}/")
    assert written(old, domains=PRODUCTION) == {"http://old.shop.com/": "http://shop.com/"}, "one target is the default"
    assert written(www) == {"http://www.main-abc-shop.example.net/": "http://main-abc-shop.example.net/"}


def test_placeholders_of_targets_of_single_paths_are_replaced_too() -> None:
    rules = (PathRedirect("/a", "https://{default}/b"), PathRedirect("^/c(.*)", "https://www.{all}$1", regexp=True),
             PathRedirect("/d", "/e"))
    found = resolve_routes([upstream("http://{all}/", redirects=rules)], replace(PRODUCTION, https_port=None)).routes
    assert [[rule.to for rule in route.redirects] for route in found] == [
        ["https://shop.com/b", "https://www.shop.com$1", "/e"], ["https://shop.com/b", "https://www.shop.de$1", "/e"],
    ]
    assert found[0].redirects[1].regexp


def test_a_target_keeps_its_query_and_fragment() -> None:
    redirect = RouteTemplate("http://www.{default}/", "redirect", to="http://{default}/a?b=c#d")
    assert written(redirect) == {
        "http://www.main-abc-shop.example.net/": "http://main-abc-shop.example.net/a?b=c#d",
    }


def test_wildcards_are_of_the_host_that_they_are_written_for() -> None:
    assert written(upstream("http://*.{default}/x")) == {"http://*.main-abc-shop.example.net/x": "upstream"}
    assert written(upstream("http://*.{all}/"), domains=PRODUCTION) == {
        "http://*.shop.com/": "upstream", "http://*.shop.de/": "upstream",
    }
    assert written(upstream("http://*.shop.com/"), domains=PRODUCTION) == {"http://*.shop.com/": "upstream"}


def test_two_routes_that_are_one_url_are_a_clash_unless_one_is_of_all() -> None:
    written, default = upstream("http://shop.com/"), upstream("http://{default}")
    assert resolve_routes([written, default], PRODUCTION).clashes == ((written, default),)
    assert not resolve_routes([written, default], DEVELOPMENT).clashes
    one_apart = resolve_routes([upstream("http://{all}/"), upstream("http://shop.de/", id="de")], PRODUCTION)
    assert not one_apart.clashes
    assert {route.template.id for route in one_apart.routes if route.host == "shop.de"} == {"de"}


def test_default_beats_all_when_both_mean_one_url() -> None:
    routes = resolve_routes([upstream("http://{all}/"), upstream("http://{default}/", id="mine")], DEVELOPMENT).routes
    assert {route.template.id for route in routes} == {"mine"}


def test_a_written_host_becomes_a_subdomain_on_previews() -> None:
    assert written(upstream("http://www.shop.com/")) == {"http://www.shop.com.main-abc-shop.example.net/": "upstream"}


def test_a_host_that_is_not_the_projects_own_is_warned_of_in_production() -> None:
    resolved = resolve_routes([upstream("http://other.org/")], PRODUCTION)
    assert resolved.routes[0].host == "other.org.main-abc-shop.example.net"
    assert "other.org is not one of the project's domains" in resolved.warnings[0]


def test_a_redirect_inside_the_environment_gets_the_routers_port() -> None:
    domains = Domains("x.localhost", http_port=8080, https_port=None)
    redirect = RouteTemplate("http://www.{default}/", "redirect", to="http://{default}/")
    found = urls(upstream("http://{default}/"), redirect, domains=domains)
    assert found["http://www.x.localhost:8080/"] == "http://x.localhost:8080/"


def test_without_tls_https_routes_are_served_over_http_and_said_so() -> None:
    domains = Domains("x.localhost", http_port=8080, https_port=None)
    resolved = resolve_routes([upstream("https://{default}/"),
                               RouteTemplate("http://{default}/", "redirect", to="https://{default}/")], domains)
    assert [(route.url, route.type) for route in resolved.routes] == [("http://x.localhost:8080/", "upstream")]
    assert resolved.warnings


def test_exactly_one_upstream_is_primary() -> None:
    first, second = upstream("http://{default}/"), upstream("http://api.{default}/", primary=True)
    both = resolve_routes([first, second], DEVELOPMENT).routes
    assert [route.primary for route in both] == [False, True, False, False]
    assert [route.primary for route in resolve_routes([first], DEVELOPMENT).routes] == [True, False]
