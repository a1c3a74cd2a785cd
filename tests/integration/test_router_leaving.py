"""Who leaves while held is forgotten, however it is said: a page that is loaded again orders nothing twice."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator

import pytest
from h2.config import H2Configuration
from h2.connection import H2Connection

from deployd.router.control import Router
from tests.support.conformance.talk import http_2
from tests.support.router_stand import Stand, backend, route, router, routes, secure_router, unique, wait_until_held

__all__ = ["router"]


@pytest.fixture(scope="module")
def stand(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stand]:
    with secure_router(tmp_path_factory.mktemp("tls")) as found:
        yield found


async def until_left(router: Router, environment: str, count: int) -> None:
    async with asyncio.timeout(5):
        while (await router.status()).environments[environment].freeze.left != count:
            await asyncio.sleep(0.02)


@pytest.mark.parametrize("body", [b"", b"hello", b"he"], ids=["no body", "a body", "half a body"])
async def test_over_http_2_a_stream_that_is_taken_back_is_forgotten_and_its_connection_goes_on(
    stand: Stand, router: Router, body: bytes,
) -> None:
    environment, host = unique("reset")
    client = H2Connection(H2Configuration())
    async with backend("shop") as shop, http_2(stand.config.https_port) as (_, writer):
        await router.switch(routes(environment, "1", route(host, shop.target, scheme="https")))
        await router.freeze(environment, 30)
        client.initiate_connection()

        def ask(stream: int, path: str, content: bytes = b"") -> None:
            head = {":method": "POST" if content else "GET", ":scheme": "https", ":authority": host, ":path": path}
            length = {"content-length": "5"} if content else {}
            client.send_headers(stream, list((head | length).items()), end_stream=not content)
            if content:
                client.send_data(stream, content, end_stream=len(content) == 5)

        ask(1, "/taken-back", body)
        ask(3, "/stayed")
        writer.write(client.data_to_send())
        await wait_until_held(router, environment, 2)
        client.reset_stream(1)
        writer.write(client.data_to_send())
        await until_left(router, environment, 1)
        released = await router.switch(routes(environment, "2", route(host, shop.target, scheme="https")))
        async with asyncio.timeout(5):
            while not shop.seen:
                await asyncio.sleep(0.02)
    assert (released.held, released.left) == (1, 1)
    assert [seen["path"] for seen in shop.seen] == ["/stayed"]


def pipeline(host: str) -> bytes:
    return b"".join(
        f"POST /{number} HTTP/1.1\r\nHost: {host}\r\nContent-Length: 5\r\n\r\nhello".encode() for number in range(3)
    )


async def test_pipelined_requests_wait_one_behind_the_other_and_are_answered_in_order(
    stand: Stand, router: Router,
) -> None:
    environment, host = unique("pipeline")
    async with backend("old") as old, backend("new") as new:
        await router.switch(routes(environment, "1", route(host, old.target)))
        await router.freeze(environment, 30)
        reader, writer = await asyncio.open_connection("127.0.0.1", stand.port)
        writer.write(pipeline(host))
        await wait_until_held(router, environment, 1)
        await router.switch(routes(environment, "2", route(host, new.target)))
        for number in range(3):
            head = await asyncio.wait_for(reader.readuntil(b"\r\n\r\n"), 5)
            assert head.startswith(b"HTTP/1.1 200")
            assert f'"path": "/{number}"'.encode() in await asyncio.wait_for(reader.readuntil(b"}"), 5)
        writer.close()
        await writer.wait_closed()
    assert (old.seen, [seen["path"] for seen in new.seen]) == ([], ["/0", "/1", "/2"])


async def test_of_a_pipeline_whose_client_left_nothing_is_done(stand: Stand, router: Router) -> None:
    environment, host = unique("gone")
    async with backend("shop") as shop:
        await router.switch(routes(environment, "1", route(host, shop.target)))
        await router.freeze(environment, 30)
        _, writer = await asyncio.open_connection("127.0.0.1", stand.port)
        writer.write(pipeline(host))
        await wait_until_held(router, environment, 1)
        writer.close()
        await writer.wait_closed()
        await until_left(router, environment, 1)
        await router.switch(routes(environment, "2", route(host, shop.target)))
        await asyncio.sleep(0.3)
    assert shop.seen == []
