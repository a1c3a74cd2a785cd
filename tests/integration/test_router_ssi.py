# ruff: noqa: E501   rows of tables are lines
"""Server side includes: parts of a page from the same environment, each cached as its own route says."""

from __future__ import annotations

import asyncio
import itertools
import re
import zlib
from collections.abc import Mapping
from typing import Any

import pytest
from aiohttp import web

from deployd.project.model import RouteCache
from deployd.router.control import Router
from deployd.router.table import Route, Target
from tests.support.router_stand import Stand, ask, backend, route, router, routes, stand, unique

__all__ = ["router", "stand"]

CACHE, NO_CACHE = RouteCache(), RouteCache(enabled=False)


def pages(texts: Mapping[str, str], **headers: str) -> dict[str, Any]:
    """Handlers of an application; `{n}` in a text is how often it was asked."""
    counters = {path: itertools.count(1) for path in texts}

    async def answer(request: web.Request) -> web.Response:
        text = texts[request.path].replace("{n}", str(next(counters[request.path])))
        return web.Response(text=text, content_type="text/html", headers=headers)

    return dict.fromkeys(texts, answer)


async def test_a_page_is_put_together_and_a_route_without_ssi_leaves_it_alone(stand: Stand, router: Router) -> None:
    environment, host = unique("ssi")
    page = 'a <!--#include virtual="/part?x=1" --> z'
    async with backend("shop", routes=pages({"/": page, "/part": "part {n}"})) as shop:
        for number, (ssi, cache, expected) in enumerate((
            (True, NO_CACHE, "a part 1 z"), (True, CACHE, "a part 2 z"), (False, CACHE, page),
        )):
            await router.switch(routes(environment, str(number), route(host, shop.target, ssi=ssi, cache=cache)))
            assert (await ask(stand, host)).body.decode() == expected


async def test_a_kept_page_has_parts_that_are_not_kept(stand: Stand, router: Router) -> None:
    environment, host = unique("partly")
    texts = {"/": 'page {n}, <!--#include virtual="/part" -->'}
    async with (
        backend("shop", routes=pages(texts, **{"Cache-Control": "max-age=60"})) as shop,
        backend("part", routes=pages({"/part": "part {n}"})) as part,
    ):
        await router.switch(routes(
            environment, "1", route(host, shop.target, ssi=True, cache=CACHE),
            route(host, part.target, path="/part", cache=NO_CACHE),
        ))
        found = [await ask(stand, host) for _ in range(3)]
    assert [answer.body.decode() for answer in found] == [f"page 1, part {number}" for number in (1, 2, 3)]
    assert found[-1].headers["x-platform-cache"] == "HIT"


async def test_includes_reach_nothing_but_containers_of_the_same_environment(stand: Stand, router: Router) -> None:
    (environment, host), (other, secret) = unique("mine"), unique("theirs")
    includes = [f"http://{secret}/", f"//{secret}/", "/outside/", "/moved/", "/.//etc/passwd"]
    page = "[" + "|".join(f'<!--#include virtual="{path}" -->' for path in includes) + "]"

    async def own(request: web.Request) -> web.Response:
        return web.Response(text=page if request.path == "/" else "own", content_type="text/html")

    async with backend("shop", routes={"/{all:.*}": own}) as shop, backend("secret") as theirs:
        await router.switch(routes(other, "1", route(secret, theirs.target)))
        await router.switch(routes(
            environment, "1", route(host, shop.target, ssi=True),
            route(host, theirs.target, path="/outside/", type="proxy", to=f"http://outside.test:{theirs.port}/"),
            Route("http", host, "/moved/", "redirect", to=f"http://{secret}/"),
        ))
        text = (await ask(stand, host)).body.decode()
    assert theirs.seen == []
    assert text.count("|") == len(includes) - 1
    assert "secret" not in text


async def test_parts_of_a_page_under_way_are_not_held_by_a_freeze(stand: Stand, router: Router) -> None:
    environment, host = unique("midway")
    reached, go_on = asyncio.Event(), asyncio.Event()

    async def slow(_: web.Request) -> web.Response:
        reached.set()
        await go_on.wait()
        return web.Response(text='<!--#include virtual="/part" -->', content_type="text/html")

    async with backend("shop", routes={"/": slow} | pages({"/part": "part"})) as shop, asyncio.TaskGroup() as group:
        await router.switch(routes(environment, "1", route(host, shop.target, ssi=True)))
        asked = group.create_task(ask(stand, host))
        await reached.wait()
        await router.freeze(environment, 30)
        go_on.set()
        assert (await asked).body == b"part"
        await router.thaw(environment)


@pytest.mark.parametrize("cache", [CACHE, NO_CACHE])
async def test_a_page_is_put_together_of_text_and_then_compressed(
    stand: Stand, router: Router, cache: RouteCache,
) -> None:
    async def packs(request: web.Request) -> web.Response:
        text = 'a <!--#include virtual="/part" --> z' if request.path == "/" else "part " * 500
        if "gzip" not in request.headers.get("Accept-Encoding", ""):
            return web.Response(text=text, content_type="text/html")
        body = zlib.compress(text.encode(), wbits=31)
        return web.Response(body=body, content_type="text/html", headers={"Content-Encoding": "gzip"})

    environment, host = unique("packed")
    async with backend("shop", routes={"/{all:.*}": packs}) as shop:
        await router.switch(routes(
            environment, "1", route(host, shop.target, ssi=True, cache=cache),
            route(host, shop.target, path="/part", cache=cache),
        ))
        for headers in ("", "Cookie: a=b\r\n"):
            answer = await ask(stand, host, headers=f"Accept-Encoding: gzip\r\n{headers}")
            assert answer.headers["content-encoding"] == "gzip"
            assert zlib.decompress(answer.body, 31).decode() == f"a {'part ' * 500} z"


async def test_a_part_that_does_not_answer_leaves_the_rest_of_the_page(stand: Stand, router: Router) -> None:
    environment, host = unique("broken")
    async with backend("shop", routes=pages({"/": 'a <!--#include virtual="/part" --> z'})) as shop:
        await router.switch(routes(environment, "1", route(host, shop.target, ssi=True),
                                   route(host, Target("127.0.0.1", 1), path="/part")))
        answer = await ask(stand, host)
    assert (answer.status, answer.body[:2], answer.body[-2:]) == (200, b"a ", b" z")


@pytest.mark.parametrize("cache", [NO_CACHE, CACHE])
async def test_a_page_that_is_put_together_stands_in_the_access_log_once(
    stand: Stand, router: Router, cache: RouteCache,
) -> None:
    environment, host = unique("logged")
    includes = '<!--#include virtual="/part" -->' * 2
    async with backend("shop", routes=pages({"/": f"a {includes} z", "/part": "part {n}"})) as shop:
        await router.switch(routes(environment, "1", route(host, shop.target, ssi=True, cache=cache)))
        assert (await ask(stand, host)).body.decode() == "a part 1part 2 z"
        await asyncio.sleep(1.5)
    lines = [line for line in stand.places.access_log.read_text().splitlines() if f'"host":"{host}"' in line]
    assert [line.split("\t")[:2] for line in lines] == [[environment, "200"]]


@pytest.mark.parametrize("cache", [NO_CACHE, CACHE])
@pytest.mark.parametrize("times", [1, 2, 30])
async def test_a_page_that_includes_itself_has_parts_to_a_bound(
    stand: Stand, router: Router, cache: RouteCache, times: int,
) -> None:
    environment, host = unique("itself")
    asked = 0

    async def page(request: web.Request) -> web.Response:
        nonlocal asked
        asked += 1
        includes = "".join(f'<!--#include virtual="/{number}?{request.path_qs}" -->' for number in range(times))
        return web.Response(text=f"p{includes}", content_type="text/html")

    async with backend("shop", routes={"/{all:.*}": page}) as shop:
        await router.switch(routes(environment, "1", route(host, shop.target, ssi=True, cache=cache)))
        for _ in range(3):
            asked = 0
            answer = await ask(stand, host)
            assert answer.status == 200
            assert asked == 1 + 48   # of the whole page, at any depth


SHOWN = ("hostname", "pid", "nginx_version", "server_addr", "document_root", "upstream_addr", "proxy_host")


@pytest.mark.parametrize("cache", [NO_CACHE, CACHE])
@pytest.mark.parametrize("form", [
    '<!--#echo var="{name}" -->', '<!--#echo var="{upper}" default="" -->', '<!--#set var="x" value="${name}" --><!--#echo var="x" default="" -->',
    '<!--#set var="x" value="a${{{name}}}b" --><!--#echo var="x" -->', '<!--#if expr="${name}" -->seen<!--#endif -->',
    '<!--#include virtual="/part?${name}" -->',
])
async def test_pages_do_not_show_what_the_router_knows(
    stand: Stand, router: Router, cache: RouteCache, form: str,
) -> None:
    """Its variables are there for who asks nginx, and not for a page."""
    environment, host = unique("echo")
    own = re.findall(r"\$(deployd_[a-z_]+)", (stand.places.current / "nginx.conf").read_text())
    names = sorted({*own, *SHOWN})
    assert len(names) > 25
    text = "|".join(f"[{form.format(name=name, upper=name.upper())}]" for name in names)

    async def page(request: web.Request) -> web.Response:
        said = f"({request.query_string})" if request.path == "/part" else text
        return web.Response(text=said, content_type="text/html")

    async with backend("shop", routes={"/{all:.*}": page}) as shop:
        await router.switch(routes(environment, "1", route(host, shop.target, ssi=True, cache=cache)))
        shown = (await ask(stand, host)).body.decode()
    empty = {"[]", "[(none)]", "[ab]", "[()]"}
    assert shown.count("|") == len(names) - 1
    assert set(shown.split("|")) <= empty


async def test_variables_of_a_page_and_of_its_visitor_are_still_there(stand: Stand, router: Router) -> None:
    environment, host = unique("own")
    page = '<!--#set var="x" value="mine" --><!--#echo var="x" -->,<!--#echo var="arg_q" -->,<!--#echo var="http_x_visitor" -->'
    async with backend("shop", routes=pages({"/": page})) as shop:
        await router.switch(routes(environment, "1", route(host, shop.target, ssi=True)))
        assert (await ask(stand, host, "/?q=1", headers="X-Visitor: v\r\n")).body == b"mine,1,v"


@pytest.mark.parametrize("encoding", ["gzip", "identity", "x"])
async def test_a_page_that_comes_encoded_although_it_was_asked_for_as_text_is_not_put_together(
    stand: Stand, router: Router, encoding: str,
) -> None:
    environment, host = unique("encoded")
    page = 'secret <!--#echo var="deployd_route" -->'
    async with backend("shop", routes=pages({"/": page}, **{"Content-Encoding": encoding})) as shop:
        await router.switch(routes(environment, "1", route(host, shop.target, ssi=True)))
        answer = await ask(stand, host)
    assert answer.status == 502
    assert answer.body == b"This page was to be put together of text, and the application has encoded it.\n"


DOUBLED = '<!--#set var="a" value="aaaaaaaa" -->' + '<!--#set var="a" value="$a$a" -->' * 40 + '<!--#echo var="a" -->'
SLOW = '<!--#set var="a" value="{}!" -->'.format("a" * 60) + '<!--#if expr="$a = /(a|aa)*[xyz]/" -->y<!--#endif -->' * 300
ERROR = "[an error occurred while processing the directive]"
HARMFUL = {
    "a variable that doubles": (DOUBLED, ERROR * 40 + "aaaaaaaa"),
    "a variable that doubles, in braces": (DOUBLED.replace("$a$a", "${a}${a}"), ERROR * 40 + "aaaaaaaa"),
    "a variable that doubles, other spelling": (
        DOUBLED.replace('value="$a$a" -->', "value = '$a$a'\t-->"), ERROR * 40 + "aaaaaaaa"),
    "a value with a quote in it": ('<!--#set var="a" value="x\\" y" -->-->', f"{ERROR}-->"),
    "patterns with loops": (SLOW, f"{ERROR}y{ERROR}" * 300),
    "a command without its end": ('<!--#set var="a" value="$a$a"' + " " * 4000, f'{ERROR}set var="a" value="$a$a"' + " " * 4000),
    "a command in a command": ('<!--#nothing <!--#set var="a" value="$a$a" -->.', f"{ERROR}."),
    "a condition that was not begun": ("<!--#else -->" * 3, ERROR * 3),
    "conditions in conditions": ('<!--#if expr="$x" --><!--#if expr="$x" --><!--#endif -->', ""),
    "unknown commands": ('<!--#exec cmd="ls" --><!--#printenv -->', ERROR * 2),
}


@pytest.mark.parametrize("cut", [1, 7, 100_000])
@pytest.mark.parametrize("name", HARMFUL)
async def test_no_command_of_a_page_costs_the_router_more_than_a_little(
    stand: Stand, router: Router, name: str, cut: int,
) -> None:
    """However the page is cut into pieces on its way."""
    environment, host = unique("costs")
    text, expected = HARMFUL[name]

    async def page(request: web.Request) -> web.StreamResponse:
        answer = web.StreamResponse(headers={"Content-Type": "text/html"})
        await answer.prepare(request)
        for start in range(0, min(len(text), 400 * cut), cut):
            await answer.write(text[start:start + cut].encode())
        await answer.write(text[400 * cut:].encode())
        return answer

    async with backend("shop", routes={"/{all:.*}": page}) as shop:
        await router.switch(routes(environment, "1", route(host, shop.target, ssi=True)))
        assert (await ask(stand, host)).body.decode() == expected


async def test_commands_of_a_page_and_of_its_parts_are_counted_together(stand: Stand, router: Router) -> None:
    environment, host = unique("counted")
    echo = '<!--#echo var="arg_x" -->'
    texts = {"/": '<!--#include virtual="/part?x=1" -->' * 3 + echo * 200, "/part": echo * 100}
    async with backend("shop", routes=pages(texts)) as shop:
        await router.switch(routes(environment, "1", route(host, shop.target, ssi=True)))
        shown = (await ask(stand, host, "/?x=1")).body.decode()
    assert shown.replace(ERROR, "").count("1") <= 200


GOOD = (
    ('<!--#if expr="$arg_q" -->y<!--#else -->n<!--#endif -->', "y"),
    ('<!--#if expr="$arg_q = 2" -->a<!--#elif expr="$arg_q != 2" -->b<!--#endif -->', "b"),
    ('<!--#if expr="$http_x_visitor = /Mobile|Phone/" -->m<!--#endif -->', "m"),
    ("<!--#set var='x' value='<$arg_q>' --><!--#echo var=\"x\" encoding=\"none\" -->", "<1>"),
    ('<!--# echo var="arg_z" default="-" -->', "-"),
    ('<!--#config errmsg="?" -->.<!--#block name="b" -->B<!--#endblock -->.', ".."),
    ("<!-- a comment --><!-.", "<!-- a comment --><!-."),
)


@pytest.mark.parametrize(("text", "expected"), GOOD)
async def test_usual_commands_are_worked_out(stand: Stand, router: Router, text: str, expected: str) -> None:
    environment, host = unique("usual")
    async with backend("shop", routes=pages({"/": text})) as shop:
        await router.switch(routes(environment, "1", route(host, shop.target, ssi=True)))
        answer = await ask(stand, host, "/?q=1", headers="X-Visitor: A Phone\r\n")
    assert answer.body.decode() == expected
