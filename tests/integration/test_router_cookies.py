# ruff: noqa: E501   rows of tables are lines
"""Cookies of an environment stay at home: a domain that others share with it is taken out, however it is written."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from typing import Any

import aiohttp
import pytest
from aiohttp import web
from h2.config import H2Configuration
from h2.connection import H2Connection
from h2.events import ResponseReceived, StreamEnded
from multidict import CIMultiDict

from deployd.project.model import PathRedirect, RouteCache
from deployd.router.control import Router
from tests.support.conformance.talk import http_2
from tests.support.router_stand import Backend, Stand, backend, route, routes, secure_router

BASE = "main-shop.example.test"
HOSTS = (BASE, f"www.{BASE}")
OUT = (
    "a=b; Domain=example.test", "a=b; domain=.example.test", "a=b;DOMAIN=example.test", "a=b; Domain =example.test",
    "a=b;\tDomain=example.test", "a=b; Domain= example.test ", "a=b; Domain=\texample.test", "a=b; dOmAiN=EXAMPLE.TEST",
    "a=b; Domain=example.test.", "a=b; Domain=..example.test", "a=b; Domain=test", 'a=b; Domain="example.test"',
    "a=b; Domain=main-shop.example.test; Domain=example.test", "a=b; Domain=example.test; Domain=main-shop.example.test",
    "a=b; Secure; HttpOnly; Path=/; Domain=example.test; SameSite=None", "a; Domain=example.test", "=b; Domain=example.test",
    "a=b;;;Domain=example.test", "a=b; \t Domain \t = \t .example.test \t ", "a=b; Domain=other-shop.example.test",
    "a=b; Domain=xmain-shop.example.test", "a=b; Domain=-shop.example.test", "a=b; Domain=example.test:80",
    "Domain=example.test; Domain=example.test",
)
STAY = (
    "a=b", "a=b; Path=/; Secure", f"a=b; Domain={BASE}", f"a=b; domain=.{BASE.upper()}", f"a=b; Domain=www.{BASE}",
    "domain=example.test; Path=/", "a=Domain=example.test", "a=b; Comment=Domain=example.test", "a=b; Domains=example.test",
    "a=b; Expires=Wed, 21 Oct 2099 07:28:00 GMT",
)


@pytest.fixture(scope="module")
def stand(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stand]:
    with secure_router(tmp_path_factory.mktemp("tls"), http3=True) as found:
        yield found


@pytest.fixture
async def router(stand: Stand) -> AsyncIterator[Router]:
    async with stand.router() as found:
        yield found


async def sets(request: web.Request) -> web.Response:
    headers = CIMultiDict(("Set-Cookie", cookie) for cookie in request.query.getall("set", []))
    for value in request.query.getall("clear", []):
        headers.add("Clear-Site-Data", value)
    return web.Response(text="ok", content_type="text/html", headers=headers)


async def cookies(stand: Stand, host: str, said: tuple[str, ...], path: str = "/", **headers: str) -> list[str]:
    async with aiohttp.ClientSession() as session, session.get(
        f"http://127.0.0.1:{stand.port}{path}", params=[("set", cookie) for cookie in said],
        headers={"Host": host, **headers},
    ) as answer:
        assert answer.status == 200
        return answer.headers.getall("Set-Cookie", [])


def leads_out(cookie: str) -> bool:
    """As a browser reads it: RFC 6265, section 5.2."""
    attributes = [part.partition("=") for part in cookie.split(";")[1:]]
    domains = [value.strip(" \t").lower().removeprefix(".") for name, _, value in attributes if name.strip(" \t").lower() == "domain"]
    return any(domain and domain != BASE and not domain.endswith(f".{BASE}") for domain in domains)


@pytest.mark.parametrize("cookie", OUT)
@pytest.mark.parametrize("kind", ["plain", "ssi", "cached", "ruled", "outside"])
async def test_a_cookie_for_everybody_becomes_one_for_its_host(stand: Stand, router: Router, cookie: str, kind: str) -> None:
    async with backend("shop", routes={"/{all:.*}": sets}) as shop:
        await tell(router, shop, kind)
        for host in HOSTS:
            found = await cookies(stand, host, (cookie, "c=d; Path=/", cookie))
            assert len(found) == 3
            assert not any(leads_out(one) for one in found), found
            assert found[1] == "c=d; Path=/"
            assert found[0].split(";")[0] == cookie.split(";")[0]


async def tell(router: Router, shop: Backend, kind: str) -> None:
    kinds: dict[str, dict[str, Any]] = {
        "plain": {}, "ssi": {"ssi": True}, "cached": {"cache": RouteCache(default_ttl_seconds=60, cookies=())},
        "ruled": {"redirects": (PathRedirect("/old", "/new"),)},
        "outside": {"type": "proxy", "to": f"http://127.0.0.1:{shop.port}"},
    }
    found = [route(host, shop.target, scheme=scheme, **kinds[kind]) for host in HOSTS for scheme in ("http", "https")]
    await router.switch(routes("shop/main", f"{kind}-{shop.port}", *found, within=dict.fromkeys(HOSTS, BASE)))


@pytest.mark.parametrize("cookie", STAY)
async def test_a_cookie_of_the_environments_own_stays_as_it_is(stand: Stand, router: Router, cookie: str) -> None:
    async with backend("shop", routes={"/{all:.*}": sets}) as shop:
        await tell(router, shop, "plain")
        assert await cookies(stand, BASE, (cookie,)) == [cookie]


async def test_a_host_of_the_projects_own_may_set_what_it_likes(stand: Stand, router: Router) -> None:
    async with backend("shop", routes={"/{all:.*}": sets}) as shop:
        await router.switch(routes("shop/own", "1", route("www.own.test", shop.target)))
        assert await cookies(stand, "www.own.test", OUT) == [cookie.strip() for cookie in OUT]


@pytest.mark.parametrize(("value", "there"), [
    ('"cookies"', False), ('"*"', False), ('"cache", "COOKIES"', False), ('"cache"', True), ('"storage", "cache"', True),
])
async def test_no_browser_is_asked_to_forget_a_neighbours_cookies(
    stand: Stand, router: Router, value: str, there: bool,
) -> None:
    async with backend("shop", routes={"/{all:.*}": sets}) as shop:
        await tell(router, shop, "plain")
        async with aiohttp.ClientSession() as session, session.get(
            f"http://127.0.0.1:{stand.port}/", params={"clear": value}, headers={"Host": BASE},
        ) as answer:
            assert ("Clear-Site-Data" in answer.headers) == there


async def test_over_http_2_it_is_the_same(stand: Stand, router: Router) -> None:
    async with backend("shop", routes={"/{all:.*}": sets}) as shop:
        await tell(router, shop, "plain")
        client, found, ended = H2Connection(H2Configuration(header_encoding="utf-8")), [], False
        client.initiate_connection()
        client.send_headers(1, [
            (":method", "GET"), (":scheme", "https"), (":authority", BASE),
            (":path", "/?set=a%3Db%3B+Domain+%3Dexample.test&set=c%3Dd%3B+domain%3D.EXAMPLE.test"),
        ], end_stream=True)
        async with http_2(stand.config.https_port) as (reader, writer):
            writer.write(client.data_to_send())
            while not ended:
                for event in client.receive_data(await reader.read(65_536)):
                    if isinstance(event, ResponseReceived):
                        found = [value for name, value in event.headers if name == "set-cookie"]
                    ended = ended or isinstance(event, StreamEnded)
    assert found == ["a=b", "c=d"]
