"""HTTP/3: the same routes and the same freeze over QUIC, when it is switched on."""

from __future__ import annotations

import asyncio
import ssl
from pathlib import Path, PurePosixPath
from typing import Any

from aioquic.asyncio.client import connect
from aioquic.asyncio.protocol import QuicConnectionProtocol
from aioquic.h3.connection import H3_ALPN, H3Connection
from aioquic.h3.events import DataReceived, HeadersReceived
from aioquic.quic.configuration import QuicConfiguration
from aioquic.quic.events import QuicEvent
from router_stand import backend, free_port, route, routes, running_router, wait_until_held

from deployd.process import run
from deployd.project.model import Hsts, RouteTls
from deployd.router.certificate import ensure_default_certificate


class Client(QuicConnectionProtocol):
    """A connection on which one request is made."""

    def __init__(self, *arguments: Any, **more: Any) -> None:
        super().__init__(*arguments, **more)
        self._http = H3Connection(self._quic)
        self._headers: dict[str, str] = {}
        self._body = b""
        self._done = asyncio.Event()

    def quic_event_received(self, event: QuicEvent) -> None:
        for found in self._http.handle_event(event):
            if isinstance(found, HeadersReceived):
                self._headers |= {name.decode(): value.decode() for name, value in found.headers}
            elif isinstance(found, DataReceived):
                self._body += found.data
            if isinstance(found, HeadersReceived | DataReceived) and found.stream_ended:
                self._done.set()

    async def get(self, authority: str) -> tuple[dict[str, str], bytes]:
        """(headers, body)"""
        stream = self._quic.get_next_available_stream_id()
        asked = {":method": "GET", ":scheme": "https", ":authority": authority, ":path": "/"}
        self._http.send_headers(stream, [(name.encode(), value.encode()) for name, value in asked.items()], True)
        self.transmit()
        async with asyncio.timeout(30):
            await self._done.wait()
        return self._headers, self._body


async def get(port: int) -> tuple[dict[str, str], bytes]:
    configuration = QuicConfiguration(
        is_client=True, alpn_protocols=H3_ALPN, verify_mode=ssl.CERT_NONE, server_name="localhost", idle_timeout=60,
    )
    async with connect("127.0.0.1", port, configuration=configuration, create_protocol=Client) as client:
        assert isinstance(client, Client)
        return await client.get(f"localhost:{port}")


async def test_http_3_has_the_same_routes_and_the_same_freeze(tmp_path: Path) -> None:
    certificate, key = await ensure_default_certificate(tmp_path / "certificates")
    port = free_port()
    with running_router(
        https_port=port, certificate=PurePosixPath(certificate), certificate_key=PurePosixPath(key), http3=True,
    ) as found:
        async with found.router() as router, backend("old") as old, backend("new") as new, asyncio.TaskGroup() as group:
            tls = RouteTls(hsts=Hsts(True), min_version="TLSv1.3")
            await router.switch(routes("shop/main", "1", route("localhost", old.target, scheme="https", tls=tls)))
            told = await run("curl", "-skI", f"https://localhost:{port}/")
            assert f'alt-svc: h3=":{port}"; ma=86400' in told.text.lower()
            asks = RouteTls(client_authentication="request")
            await router.switch(routes("shop/other", "1", route("127.0.0.1", old.target, scheme="https", tls=asks)))
            assert "alt-svc" not in (await run("curl", "-skI", f"https://127.0.0.1:{port}/")).text.lower()
            headers, body = await get(port)
            assert (headers[":status"], b'"old"' in body) == ("200", True)
            assert "max-age" in headers["strict-transport-security"]
            assert old.seen[-1]["headers"]["X-Client-SSL"] == "on"

            await router.freeze("shop/main", 30)
            waiting = [group.create_task(get(port)) for _ in range(5)]
            await wait_until_held(router, "shop/main", 5)
            await router.switch(routes("shop/main", "2", route("localhost", new.target, scheme="https", tls=tls)))
            assert {(await task)[0][":status"] for task in waiting} == {"200"}
    assert len(new.seen) == 5
