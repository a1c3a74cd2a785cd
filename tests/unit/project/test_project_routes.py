# ruff: noqa: E501   rows of tables are lines
"""Every key of a route as a value (configuration format 6.1, 6.4 to 6.6)."""

from __future__ import annotations

import pytest

from deployd.project.findings.report import render_findings
from deployd.project.model import Hsts, PathRedirect, RouteCache, RouteTemplate, RouteTls
from deployd.project.reader import read_project
from tests.doubles.trees import DictTree

APP = "name: app\ntype: python:3.13\n"
PEM = "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----"


def read(routes: str, **files: str) -> tuple[RouteTemplate, ...]:
    result = read_project(DictTree({".platform.app.yaml": APP, ".platform/routes.yaml": routes, **files}))
    assert result.config is not None, "\n".join(render_findings(result.errors))
    return result.config.routes


def of(key: str, url: str = "https://{default}/") -> RouteTemplate:
    return read(f'"{url}":\n  type: upstream\n  upstream: "app:http"\n  {key}\n')[0]


def test_a_route_that_says_nothing_more_has_a_cache_and_nothing_else() -> None:
    found = of("", "https://{default}")
    assert (found.url, found.type, found.upstream, found.endpoint) == ("https://{default}", "upstream", "app", "http")
    assert (found.primary, found.id, found.attributes, found.redirects) == (None, None, {}, ())
    assert (found.tls, found.ssi, found.sticky) == (RouteTls(), False, False)
    assert found.cache == RouteCache(True, 0, ("Accept", "Accept-Language"), ("*",))


def test_redirects_and_proxies_have_a_target_and_no_cache() -> None:
    www, docs = read('"https://www.{all}/": {type: redirect, to: "https://{all}/"}\n'
                     '"https://{default}/docs": {type: proxy, to: "https://192.0.2.1:8443/x"}\n')
    assert (www.type, www.to, www.cache.enabled) == ("redirect", "https://{all}/", False)
    assert (docs.type, docs.to, docs.cache.enabled) == ("proxy", "https://192.0.2.1:8443/x", False)


def test_what_is_only_handed_through() -> None:
    found = of("primary: true\n  id: main\n  attributes: {foo: bar, 'a:b': c}")
    assert (found.primary, found.id, found.attributes) == (True, "main", {"foo": "bar", "a:b": "c"})


@pytest.mark.parametrize(("key", "cache"), [
    ("cache: false", RouteCache(False)), ("cache: true", RouteCache()), ("cache: {enabled: false}", RouteCache(False)),
    ("cache: {enabled: true, default_ttl: 60, headers: [X-Colour], cookies: [sid, '/^SS?ESS/']}", RouteCache(True, 60, ("X-Colour",), ("sid", "/^SS?ESS/"))),
    ("cache: {enabled: true, cookies: [], headers: []}", RouteCache(True, 0, (), ())),
])
def test_a_cache_is_a_mapping_or_a_word(key: str, cache: RouteCache) -> None:
    assert of(key).cache == cache


@pytest.mark.parametrize("name", ["Accept-Encoding", "connection", "Proxy-Authorization", "TE", "Upgrade", "Cookie"])
def test_headers_that_say_nothing_of_the_content_cannot_be_of_the_key(name: str) -> None:
    routes = f'"https://{{default}}/": {{type: upstream, upstream: "app:http", cache: {{enabled: true, headers: [{name}]}}}}\n'
    result = read_project(DictTree({".platform.app.yaml": APP, ".platform/routes.yaml": routes}))
    assert [error.code for error in result.errors] == ["not-allowed"]


@pytest.mark.parametrize(("text", "on"), [("true", True), ("false", False), ("{enabled: true}", True), ("{enabled: false}", False)])
def test_ssi_and_sticky_are_mappings_or_words(text: str, on: bool) -> None:
    assert (of(f"ssi: {text}").ssi, of(f"sticky: {text}").sticky) == (on, on)


def test_redirects_of_single_paths_with_their_defaults() -> None:
    found = of("""redirects:
    expires: 1d
    paths:
      /plain: {to: /to}
      /only: {to: 'https://{default}/x', prefix: false, code: 301, expires: 2w}
      /flat: {to: /to, append_suffix: false, expires: 0}
      '^/a/(.*)$': {to: 'https://example.com/$1', regexp: true, code: 308, expires: -1}
""").redirects
    assert found == (
        PathRedirect("/plain", "/to", expires_seconds=86_400),
        PathRedirect("/only", "https://{default}/x", prefix=False, code=301, expires_seconds=2 * 604_800),
        PathRedirect("/flat", "/to", append_suffix=False, expires_seconds=0),
        PathRedirect("^/a/(.*)$", "https://example.com/$1", regexp=True, code=308),
    )
    assert of("redirects: {paths: {/a: {to: /b}}}").redirects == (PathRedirect("/a", "/b"),)
    assert PathRedirect("/a", "/b") == PathRedirect("/a", "/b", False, True, True, 302, -1)


def test_everything_of_tls() -> None:
    key = ("tls: {min_version: TLSv1.3, strict_transport_security: {enabled: true, include_subdomains: true, preload: false},\n"
           "    client_authentication: require, client_certificate_authorities: [!include {type: string, path: ca.pem}]}")
    routes = f'"https://{{default}}/":\n  type: upstream\n  upstream: "app:http"\n  {key}\n'
    [found] = read(routes, **{".platform/ca.pem": PEM})
    assert found.tls == RouteTls("TLSv1.3", Hsts(True, True, False), "require", (PEM,))
