"""Redirects of whole routes and of paths, as the configuration format 6.1 and 6.4 describe them."""

from __future__ import annotations

import pytest

from deployd.project.model import PathRedirect
from deployd.router.control import Router, RouterRefused
from tests.support.router_stand import Stand, ask, backend, route, router, routes, stand, unique

__all__ = ["router", "stand"]


async def test_a_whole_route_keeps_path_and_query(stand: Stand, router: Router) -> None:
    environment, host = unique("whole")
    await router.switch(routes(
        environment, "1",
        route(f"www.{host}", type="redirect", to=f"https://{host}/"),
        route(f"out.{host}", type="redirect", to="https://elsewhere.example/base"),
        route(f"out.{host}", type="redirect", to="https://docs.example/", path="/docs/"),
    ))
    found = [await ask(stand, name, path) for name, path in (
        (f"www.{host}", "/a%20b/c?d=e"), (f"www.{host}", "/"), (f"out.{host}", "/x"), (f"out.{host}", "/docs/y?z"),
    )]
    assert {answer.status for answer in found} == {301}
    assert [answer.headers["location"] for answer in found] == [
        f"https://{host}/a%20b/c?d=e", f"https://{host}/",
        "https://elsewhere.example/base/x", "https://docs.example/y?z",
    ]


@pytest.mark.parametrize(("path", "to", "asked", "location"), [
    ("/", "https://else.example/page?x=1#y", "/", "https://else.example/page?x=1#y"),
    ("/", "https://else.example/page?x=1#y", "/a?b=c", "https://else.example/page/a?x=1&b=c#y"),
    ("/", "https://else.example", "/.evil.example", "https://else.example/.evil.example"),
    ("/docs/", "https://else.example/", "/x/../docs/y", "https://else.example/y"),
    ("/docs/", "https://else.example/", "//docs/y", "https://else.example/y"),
    ("/docs", "https://else.example/manual", "/docs/", "https://else.example/manual/"),
    ("/docs", "https://else.example/manual", "/docs", "https://else.example/manual"),
    ("/caf%C3%A9/", "https://else.example/", "/caf%C3%A9/%20x", "https://else.example/%20x"),
    ("/caf%C3%A9/", "https://else.example/", "/caf%c3%a9/a%2Fb%3F", "https://else.example/a%2Fb%3F"),
    ("/docs", "https://else.example/manual", "/docs%2Fy%2fz", "https://else.example/manual/y%2fz"),
    ("/docs/", "https://else.example/manual", "/d%6Fcs%2Fy", "https://else.example/manual/y"),
])
async def test_what_follows_the_path_of_a_whole_route_is_appended_to_the_path_of_its_target(
    stand: Stand, router: Router, path: str, to: str, asked: str, location: str,
) -> None:
    environment, host = unique("appended")
    await router.switch(routes(environment, "1", route(host, type="redirect", to=to, path=path)))
    assert (await ask(stand, host, asked)).headers["location"] == location


async def test_a_wildcard_in_a_target_is_what_it_is_in_the_request(stand: Stand, router: Router) -> None:
    environment, host = unique("star")
    async with backend("shop") as shop:
        await router.switch(routes(
            environment, "1", route(f"*.{host}", type="redirect", to=f"https://*.new.{host}/"),
            route(f"*.new.{host}", shop.target),
        ))
        found = [(await ask(stand, f"{name}.{host}", "/x?y")).headers["location"] for name in ("a", "B.c")]
    assert found == [f"http://{name}.new.{host}:{stand.port}/x?y" for name in ("a", "b.c")]


async def test_a_route_of_any_type_has_redirects_of_single_paths(stand: Stand, router: Router) -> None:
    environment, host = unique("single")
    rules = (PathRedirect("/old", "https://elsewhere.example/kept", code=301),)
    await router.switch(routes(
        environment, "1", route(f"www.{host}", type="redirect", to=f"https://{host}/", redirects=rules),
    ))
    found = [await ask(stand, f"www.{host}", path) for path in ("/old/a", "/new")]
    assert [answer.headers["location"] for answer in found] == [
        "https://elsewhere.example/kept/a", f"https://{host}/new",
    ]


async def test_a_host_of_ours_is_named_with_the_scheme_and_port_that_answer(stand: Stand, router: Router) -> None:
    environment, host = unique("own")
    async with backend("shop") as shop:
        await router.switch(routes(
            environment, "1", route(host, shop.target, scheme="https"),
            route(host, scheme="http", type="redirect", to=f"https://{host}/"),
            route(f"www.{host}", scheme="https", type="redirect", to=f"https://{host}/"),
        ))
        assert (await ask(stand, host)).backend == "shop"   # without TLS the https route answers, and does not loop
        location = (await ask(stand, f"www.{host}", "/x")).headers["location"]
    assert location == f"http://{host}:{stand.port}/x"


RULES = (
    PathRedirect("/from", "/to"),
    PathRedirect("/from/deep", "https://deep.example/at"),
    PathRedirect("/only", "/exact", prefix=False, code=308),
    PathRedirect("/flat", "/one-place", append_suffix=False, code=301, expires_seconds=3600),
    PathRedirect("^/old/(.*)/(?:x|y)$", "/new/$1?was=$uri&q=$arg_q", regexp=True, code=307, expires_seconds=0),
    PathRedirect("^/given$", "https://deep.example$uri$is_args$args", regexp=True),
    PathRedirect("/slash/", "/both/"),
    PathRedirect("/single/", "/slashed", prefix=False),
    PathRedirect("/query", "/search?a=b"),
    PathRedirect("/other", "//deep.example/at"),
    PathRedirect("/up", "/"),
    PathRedirect("/bare", "https://deep.example"),
    PathRedirect("^/loose(.*)$", "/$1", regexp=True),
    PathRedirect("^/next$", "/$arg_to", regexp=True),
    PathRedirect("^/plain/(.*)$", "/got/$1", regexp=True),
    PathRedirect("^/own$", "/got?a=b#c", regexp=True),
    PathRedirect("^/whole", "https://deep.example$uri", regexp=True),
    PathRedirect("/caf%C3%A9", "/tea"),
)


@pytest.mark.parametrize(("path", "status", "location"), [
    ("/from", 302, "/to"),
    ("/from/a/b?c=d", 302, "/to/a/b?c=d"),
    ("/fromage", 200, None),
    ("/from/a%20b%25/c", 302, "/to/a%20b%25/c"),
    ("/from/deep/er", 302, "https://deep.example/at/er"),
    ("/only", 308, "/exact"),
    ("/only/child", 200, None),
    ("/flat/anything?x=y", 301, "/one-place?x=y"),
    ("/flat?x=y", 301, "/one-place?x=y"),
    ("/only?x=y", 308, "/exact?x=y"),
    ("/plain/a?x=y", 302, "/got/a?x=y"),
    ("/own?x=y", 302, "/got?a=b&x=y#c"),
    ("/from/a%2Fb/c%2F?c=d", 302, "/to/a%2Fb/c%2F?c=d"),
    ("/from%2Fa%2fb", 302, "/to/a%2fb"),
    ("/fr%6Fm/a%2Fb", 302, "/to/a%2Fb"),
    ("/from//a%2Fb", 302, "/to/a/b"),
    ("/from/x/../a", 302, "/to/a"),
    ("/whole/a%2Fb%20c?x=y", 302, "https://deep.example/whole/a%2Fb%20c?x=y"),
    ("/caf%C3%A9/a%2Fb", 302, "/tea/a%2Fb"),
    ("/up/%2Fevil.example", 302, "/evil.example"),
    ("/up/\\evil.example", 302, "/%5Cevil.example"),
    ("/up/\"<>^`{|}", 302, "/%22%3C%3E%5E%60%7B%7C%7D"),
    ("/up/%25zz%C3%A9", 302, "/%25zz%C3%A9"),
    ("/old/a/b/x?q=1", 307, "/new/a/b?was=/old/a/b/x&q=1"),
    ("/old/a", 200, None),
    ("/given?a=b", 302, "https://deep.example/given?a=b"),
    ("/given", 302, "https://deep.example/given"),
    ("/slash", 302, "/both/"),
    ("/slash/a", 302, "/both/a"),
    ("/single/", 302, "/slashed"),
    ("/single", 200, None),
    ("/query/c?d=e", 302, "/search/c?a=b&d=e"),
    ("/other/a", 302, "//deep.example/at/a"),
    ("/up/evil.example", 302, "/evil.example"),
    ("/up//evil.example", 302, "/evil.example"),
    ("/bare/.evil.example", 302, "https://deep.example/.evil.example"),
    ("/bare", 302, "https://deep.example"),
    ("/loose/evil.example", 302, "/evil.example"),
    ("/next?to=/evil.example", 302, "/evil.example"),
    ("/next?to=\\evil.example", 302, "/evil.example"),
])
async def test_paths_are_redirected_by_their_rules(
    stand: Stand, router: Router, path: str, status: int, location: str | None,
) -> None:
    environment, host = unique("rules")
    async with backend("shop") as shop:
        await router.switch(routes(environment, "1", route(host, shop.target, redirects=RULES)))
        answer = await ask(stand, host, path)
    assert (answer.status, answer.headers.get("location")) == (status, location), "no host, no port"


async def test_expires_becomes_cache_headers(stand: Stand, router: Router) -> None:
    environment, host = unique("expires")
    async with backend("shop") as shop:
        await router.switch(routes(environment, "1", route(host, shop.target, redirects=RULES)))
        assert (await ask(stand, host, "/flat")).headers["cache-control"] == "max-age=3600"
        assert (await ask(stand, host, "/old/a/x")).headers["cache-control"] == "no-cache"
        assert "cache-control" not in (await ask(stand, host, "/from")).headers


async def test_a_redirect_cannot_be_made_to_split_the_answer(stand: Stand, router: Router) -> None:
    environment, host = unique("split")
    async with backend("shop") as shop:
        await router.switch(routes(environment, "1", route(host, shop.target, redirects=RULES)))
        for path in ("/from/%0d%0aX-Evil:%201", "/old/%0d%0aX-Evil:%201/x"):
            answer = await ask(stand, host, path)
            assert "x-evil" not in answer.headers


async def test_what_is_not_a_regular_expression_is_refused_and_nothing_changes(stand: Stand, router: Router) -> None:
    environment, host = unique("regexp")
    bad = PathRedirect("/(unclosed", "/x", regexp=True)
    with pytest.raises(RouterRefused, match="not a regular expression"):
        await router.switch(routes(environment, "1", route(host, redirects=(bad,))))
    assert await router.look(environment) is None
