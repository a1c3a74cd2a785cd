"""Routes that can be judged only with the domains of an environment."""

from __future__ import annotations

from deployd.deployment.desired import MOST_ROUTES_BYTES, wrong_routes
from deployd.environment.domains import Domains
from deployd.environment.routes import resolve_routes
from deployd.project.model import Place, RouteTemplate, RouteTls

PRODUCTION = Domains("main-abc-shop.example.net", own=("shop.com",))


def upstream(url: str, line: int, tls: RouteTls | None = None) -> RouteTemplate:
    return RouteTemplate(url, "upstream", upstream="shop", place=Place("routes.yaml", line), tls=tls or RouteTls())


def test_two_routes_of_one_url_are_refused_with_the_line_of_the_second() -> None:
    routes = [upstream("https://{default}/", 1), upstream("https://shop.com/", 5), upstream("https://{all}/", 9)]
    [error] = wrong_routes(resolve_routes(routes, PRODUCTION))
    assert error.what == "the routes https://{default}/ and https://shop.com/ are one URL here"
    assert "routes.yaml:5" in error.where


def test_routes_that_do_not_fit_into_a_variable_are_refused_with_their_size() -> None:
    authority = RouteTls(client_authentication="require", client_certificate_authorities=("x" * 1700,))
    routes = [upstream(f"https://host{number}.shop.com/", number, authority) for number in range(50)]
    [error] = wrong_routes(resolve_routes(routes, PRODUCTION))
    assert f"a variable has {MOST_ROUTES_BYTES:,} at most" in error.what
    assert not wrong_routes(resolve_routes(routes[:30], PRODUCTION))
