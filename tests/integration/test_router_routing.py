"""Which requests reach which container, and what they carry."""

from __future__ import annotations

import asyncio
import json
import re

import aiohttp
from aiohttp import web

from deployd.router.control import Router
from deployd.router.table import Target
from tests.support.router_stand import Stand, ask, backend, route, router, routes, running_router, stand, unique

__all__ = ["router", "stand"]


async def test_the_longest_path_of_a_host_wins_and_is_matched_by_whole_segments(stand: Stand, router: Router) -> None:
    environment, host = unique("paths")
    async with backend("shop") as shop, backend("api") as api, backend("v2") as v2:
        await router.switch(routes(environment, "1", route(host, shop.target), route(host, api.target, path="/api"),
                                   route(host, v2.target, path="/api/v2/")))
        found = [(await ask(stand, host, path)).backend for path in
                 ("/", "/api", "/api/x", "/apiary", "/api/v2/x", "/api/v2", "/api/v2x", "/x/../api/v2/y", "//api/x")]
    assert found == ["shop", "api", "api", "shop", "v2", "v2", "api", "v2", "api"]


async def test_an_exact_host_is_preferred_to_a_wildcard_and_the_nearest_wildcard_to_a_farther_one(
    stand: Stand, router: Router,
) -> None:
    environment, host = unique("wild")
    async with backend("exact") as exact, backend("near") as near, backend("far") as far:
        await router.switch(routes(environment, "1", route(f"a.b.{host}", exact.target),
                                   route(f"*.b.{host}", near.target), route(f"*.{host}", far.target)))
        found = [(await ask(stand, f"{name}.{host}")).backend for name in ("a.b", "A.B", "x.b", "x.y.b", "b", "x")]
        assert found == ["exact", "exact", "near", "near", "far", "far"]
        assert (await ask(stand, host)).status == 404


async def test_an_unknown_host_gets_a_page_for_people_or_programs(stand: Stand) -> None:
    page = await ask(stand, "nobody.test", headers="Accept: text/html,*/*\r\n")
    assert (page.status, page.headers["content-type"]) == (404, "text/html; charset=utf-8")
    assert b"Nothing here" in page.body
    answer = await ask(stand, "nobody.test", headers="Accept: application/json\r\n")
    assert json.loads(answer.body)["error"] == "not-found"
    assert (await ask(stand, ".".join(["a"] * 2000))).status == 404


async def test_a_router_that_has_just_started_does_not_say_not_found() -> None:
    with running_router() as fresh:
        assert (await ask(fresh, "shop.test")).status == 503
        async with fresh.router() as router:
            await router.complete()
        assert (await ask(fresh, "shop.test")).status == 404


async def test_a_container_that_does_not_answer_gives_a_page_and_another_one_is_tried(
    stand: Stand, router: Router,
) -> None:
    environment, host = unique("down")
    dead = Target("127.0.0.1", 1)
    await router.switch(routes(environment, "1", route(host, dead)))
    answer = await ask(stand, host)
    assert (answer.status, b"does not answer" in answer.body) == (502, True)
    async with backend("alive") as alive:
        await router.switch(routes(environment, "2", route(host, dead, alive.target)))
        assert [(await ask(stand, host)).status for _ in range(6)] == [200] * 6
        await router.switch(routes(environment, "3", route(host)))
        assert (await ask(stand, host)).status == 503


async def test_headers_of_the_router_are_set_and_forged_ones_are_taken_away(stand: Stand, router: Router) -> None:
    environment, host = unique("headers")
    forged = "".join(f"{name}: forged\r\n" for name in (
        "X-Client-IP", "X-Client-SSL", "X-Original-Route", "X-Forwarded-Proto", "X-Forwarded-Host", "X-Forwarded-Port",
        "X-Request-Id", "X-Client-Verify", "X-Client-DN", "X-Client-Cert", "Proxy", "Forwarded", "X-Real-IP",
        "X_Client_IP",
    ))
    async with backend("shop") as shop:
        await router.switch(routes(environment, "1", route(host, shop.target, original_url="http://{default}/")))
        answer = await ask(stand, host, "/a%20b?c=d%26", headers=forged + "X-Forwarded-For: 1.2.3.4\r\nCookie: a=b\r\n")
    seen = shop.seen[0]
    headers = {name.lower(): value for name, value in seen["headers"].items()}
    assert "forged" not in headers.values()
    assert seen["path"] == "/a%20b?c=d%26"
    assert headers["host"] == headers["x-forwarded-host"] == f"{host}:{stand.port}"
    assert headers["x-client-ip"] == "127.0.0.1"
    assert headers["x-forwarded-for"] == "1.2.3.4, 127.0.0.1"
    assert headers["x-forwarded-proto"] == "http"
    assert headers["x-original-route"] == "http://{default}/"
    assert headers["cookie"] == "a=b"
    assert headers["x-request-id"] == answer.headers["x-request-id"]


async def test_no_two_requests_have_the_same_name(stand: Stand, router: Router) -> None:
    environment, host = unique("names")
    async with backend("shop") as shop:
        await router.switch(routes(environment, "1", route(host, shop.target)))
        async with aiohttp.ClientSession(headers={"Host": host}) as session:
            for _ in range(300):   # more than a worker names at once
                async with session.get(stand.url()) as answer:
                    assert answer.status == 200
    named = [{name.lower(): value for name, value in seen["headers"].items()}["x-request-id"] for seen in shop.seen]
    assert len(set(named)) == len(named) == 300
    assert all(re.fullmatch(r"[0-9a-f]{32}", name) for name in named)
    other, unknown = [(await ask(stand, "nobody.test")).headers["x-request-id"] for _ in range(2)]
    assert other != unknown


async def test_only_production_may_be_found_by_search_engines(stand: Stand, router: Router) -> None:
    (preview, host), (production, www) = unique("preview"), unique("production")
    async with backend("shop") as shop:
        await router.switch(routes(preview, "1", route(host, shop.target)))
        await router.switch(routes(production, "1", route(www, shop.target), robots=True))
        assert (await ask(stand, host)).headers["x-robots-tag"] == "noindex, nofollow"
        assert "x-robots-tag" not in (await ask(stand, www)).headers


async def test_connections_to_a_container_are_used_again(stand: Stand, router: Router) -> None:
    environment, host = unique("keepalive")
    async with backend("shop") as shop, aiohttp.ClientSession(headers={"Host": host}) as session:
        await router.switch(routes(environment, "1", route(host, shop.target)))
        for _ in range(50):
            async with session.get(stand.url()) as answer:
                assert answer.status == 200
                await answer.read()
    assert len(shop.connections) <= 2   # one client connection stays with one worker of nginx


async def test_websockets_pass(stand: Stand, router: Router) -> None:
    async def echo(request: web.Request) -> web.WebSocketResponse:
        socket = web.WebSocketResponse()
        await socket.prepare(request)
        async for message in socket:
            await socket.send_str(f"echo {message.data}")
        return socket

    environment, host = unique("socket")
    async with backend("shop", routes={"/socket": echo}) as shop, aiohttp.ClientSession() as session:
        await router.switch(routes(environment, "1", route(host, shop.target)))
        async with session.ws_connect(stand.url("/socket"), headers={"Host": host}) as socket:
            await socket.send_str("hello")
            assert await socket.receive_str(timeout=5) == "echo hello"


async def test_events_pass_at_once_and_are_not_collected(stand: Stand, router: Router) -> None:
    go_on = asyncio.Event()

    async def events(request: web.Request) -> web.StreamResponse:
        answer = web.StreamResponse(headers={"Content-Type": "text/event-stream"})
        await answer.prepare(request)
        await answer.write(b"data: one\n\n")
        await go_on.wait()
        await answer.write(b"data: two\n\n")
        return answer

    environment, host = unique("events")
    async with backend("shop", routes={"/events": events}) as shop, aiohttp.ClientSession() as session:
        await router.switch(routes(environment, "1", route(host, shop.target)))
        async with session.get(stand.url("/events"), headers={"Host": host}) as answer:
            assert await asyncio.wait_for(answer.content.readuntil(b"\n\n"), 5) == b"data: one\n\n"
            go_on.set()
            assert await asyncio.wait_for(answer.content.readuntil(b"\n\n"), 5) == b"data: two\n\n"


async def test_a_large_upload_reaches_the_container_while_it_is_still_being_sent(stand: Stand, router: Router) -> None:
    first_part = asyncio.Event()

    async def take(request: web.Request) -> web.Response:
        size = 0
        async for chunk in request.content.iter_any():
            size += len(chunk)
            first_part.set()
        return web.json_response({"size": size})

    async def parts():  # type: ignore[no-untyped-def]
        yield b"x" * 65_536
        await asyncio.wait_for(first_part.wait(), 10)
        for _ in range(319):
            yield b"x" * 65_536

    environment, host = unique("upload")
    async with backend("shop", routes={"/upload": take}) as shop, aiohttp.ClientSession() as session:
        await router.switch(routes(environment, "1", route(host, shop.target)))
        async with session.post(stand.url("/upload"), data=parts(), headers={"Host": host}) as answer:
            assert (await answer.json())["size"] == 320 * 65_536


async def test_a_sticky_route_keeps_a_client_at_one_container(stand: Stand, router: Router) -> None:
    environment, host = unique("sticky")
    async with backend("a") as a, backend("b") as b:
        await router.switch(routes(environment, "1", route(host, a.target, b.target, sticky=True)))
        assert len({(await ask(stand, host)).backend for _ in range(10)}) == 1
        await router.switch(routes(environment, "2", route(host, a.target, b.target)))
        assert {(await ask(stand, host)).backend for _ in range(10)} == {"a", "b"}


async def test_a_proxy_route_reaches_a_host_outside_under_its_own_name(stand: Stand, router: Router) -> None:
    environment, host = unique("outside")
    async with backend("outside") as outside:
        to = f"http://outside.test:{outside.port}"
        await router.switch(routes(
            environment, "1", route(host, outside.target, type="proxy", to=to),
            route(host, outside.target, path="/docs/", type="proxy", to=f"{to}/en/manual/"),
            route(host, outside.target, path="/foo", type="proxy", to=f"{to}/"),
            route(host, outside.target, path="/bar/", type="proxy", to=f"{to}/base"),
        ))
        for path in (
            "/keep/this?x=1", "/docs/page?x=1", "/foo/index.html", "/foo", "/bar/x", "/bar/%7F%20%3F", "/docs/a%2Fb",
        ):
            assert (await ask(stand, host, path)).status == 200, path
        forged = "".join(f"{name}: forged\r\n" for name in (
            "X-Client-IP", "X-Client-SSL", "X-Client-Verify", "X-Client-DN", "X-Client-Cert", "X-Original-Route",
            "X-Forwarded-Port", "X-Real-IP", "Forwarded",
        ))
        await ask(stand, host, "/keep", headers=forged)
    assert [seen["path"] for seen in outside.seen[:-1]] == [
        "/keep/this?x=1", "/en/manual/page?x=1", "/index.html", "/", "/base/x", "/base/%7F%20%3F", "/en/manual/a%2Fb",
    ]
    assert outside.seen[0]["headers"]["Host"] == f"outside.test:{outside.port}"
    assert "forged" not in str(outside.seen[-1]["headers"]), "a location inherits no header when it sets one itself"


async def test_the_application_cannot_steer_the_router_by_its_headers(stand: Stand, router: Router) -> None:
    async def sly(request: web.Request) -> web.Response:
        return web.Response(text="body", headers={"X-Accel-Redirect": "/elsewhere", "X-Request-Id": "mine"})

    environment, host = unique("accel")
    async with backend("shop", routes={"/sly": sly}) as shop:
        await router.switch(routes(environment, "1", route(host, shop.target)))
        answer = await ask(stand, host, "/sly")
    assert (answer.status, answer.body, len(answer.headers["x-request-id"])) == (200, b"body", 32)
