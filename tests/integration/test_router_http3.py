"""HTTP/3: the same routes, freeze, certificates and demands of hosts over QUIC, when it is switched on."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, replace
from pathlib import Path, PurePosixPath
from typing import Any

import pytest
from aioquic.asyncio.client import connect
from aioquic.asyncio.protocol import QuicConnectionProtocol
from aioquic.h3.connection import H3_ALPN, H3Connection
from aioquic.h3.events import DataReceived, HeadersReceived
from aioquic.quic.configuration import QuicConfiguration
from aioquic.quic.events import QuicEvent
from aioquic.tls import SessionTicket
from cryptography import x509

from deployd.certificates.local import LocalAuthority
from deployd.certificates.storage import RouterCertificates
from deployd.clock import SystemClock
from deployd.process import run
from deployd.project.model import Hsts, RouteTls
from deployd.router.control import Router
from deployd.router.table import Route
from deployd.router_process.default_certificate import ensure_default_certificate
from tests.support.client_authorities import make_authority
from tests.support.router_stand import (
    Backend,
    Stand,
    backend,
    docker,
    free_port,
    route,
    routes,
    running_router,
    wait_until_held,
)


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

    @property
    def shown(self) -> x509.Certificate | None:
        """The certificate that the router showed; none when a session was gone on with."""
        return self._quic.tls._peer_certificate

    @property
    def resumed(self) -> bool:
        return self._quic.tls.session_resumed


@dataclass
class Seen:
    """One answer, and the handshake before it."""

    headers: dict[str, str]
    body: bytes
    issuer: str
    resumed: bool
    patience: float | None
    """Seconds of silence after which the router ends a connection."""

    @property
    def status(self) -> int:
        return int(self.headers[":status"])


@dataclass
class Door:
    """A router that answers HTTP/3, with a container behind it."""

    stand: Stand
    router: Router
    shop: Backend
    folder: Path
    port: int

    async def get(
        self, host: str, *, named: str | None = None, client: str | None = None, session: SessionTicket | None = None,
        on_session: Callable[[SessionTicket], None] | None = None,
    ) -> Seen:
        """One request on a connection of its own.

        Args:
            named: The host in the handshake, when it is another one than in the request.
            client: Whose certificate is shown to the router when it asks for one.
        """
        configuration = QuicConfiguration(
            is_client=True, alpn_protocols=H3_ALPN, verify_mode=ssl.CERT_NONE, server_name=named or host,
            idle_timeout=60, session_ticket=session,
        )
        if client:
            configuration.load_cert_chain(self.folder / f"{client}.pem", self.folder / f"{client}.key")
        async with connect(
            "127.0.0.1", self.port, configuration=configuration, create_protocol=Client,
            session_ticket_handler=on_session,
        ) as found:
            assert isinstance(found, Client)
            headers, body = await found.get(f"{host}:{self.port}")
            issuer = found.shown.issuer.rfc4514_string() if found.shown else ""
            return Seen(headers, body, issuer, found.resumed, found._quic._remote_max_idle_timeout)

    async def set(self, *found: Route) -> None:
        await self.router.switch(routes("shop/main", "1", *found))

    def route(self, host: str, **tls: Any) -> Route:
        return route(host, self.shop.target, scheme="https", tls=RouteTls(**tls))


@pytest.fixture
async def door(tmp_path: Path) -> AsyncIterator[Door]:
    certificate, key = await ensure_default_certificate(tmp_path / "certificates")
    port = free_port()
    with running_router(
        https_port=port, certificate=PurePosixPath(certificate), certificate_key=PurePosixPath(key), http3=True,
        freeze_seconds=300,
    ) as stand:
        async with stand.router() as router, backend("shop") as shop:
            await router.complete()
            yield Door(stand, router, shop, tmp_path, port)
        told = [line for line in docker("logs", stand.name).splitlines() if "[error]" in line]
        assert not [line for line in told if "failed to send stream cancellation" not in line]   # its client left


async def test_http_3_has_the_same_routes_and_the_same_freeze(door: Door) -> None:
    async with backend("new") as new, asyncio.TaskGroup() as group:
        await door.set(door.route("localhost"))
        told = await run("curl", "-skI", f"https://localhost:{door.port}/")
        assert f'alt-svc: h3=":{door.port}"; ma=86400' in told.text.lower()
        seen = await door.get("localhost")
        assert (seen.status, b'"shop"' in seen.body) == (200, True)
        assert seen.patience == 315, "a held client may be silent as long as a freeze lasts"
        assert door.shop.seen[-1]["headers"]["X-Client-SSL"] == "on"

        await door.router.freeze("shop/main", 30)
        waiting = [group.create_task(door.get("localhost")) for _ in range(5)]
        await wait_until_held(door.router, "shop/main", 5)
        await door.router.switch(routes("shop/main", "2", route("localhost", new.target, scheme="https")))
        assert {(await task).status for task in waiting} == {200}
    assert len(new.seen) == 5


async def test_a_held_connection_that_is_closed_is_forgotten_over_quic_too(door: Door) -> None:
    await door.set(door.route("localhost"))
    await door.router.freeze("shop/main", 30)
    async with asyncio.TaskGroup() as group:
        leaving = group.create_task(door.get("localhost"))
        await wait_until_held(door.router, "shop/main", 1)
        leaving.cancel()
    async with asyncio.timeout(5):
        while (await door.router.status()).environments["shop/main"].freeze.left != 1:
            await asyncio.sleep(0.02)
    await door.router.switch(routes("shop/main", "2", route("localhost", door.shop.target, scheme="https")))
    await asyncio.sleep(0.3)
    assert door.shop.seen == []


async def test_a_host_shows_its_own_certificate_over_quic(door: Door) -> None:
    authority = LocalAuthority(door.folder / "authority", SystemClock())
    RouterCertificates(door.stand.places.certificates).show({"own.test": await authority.issue("own.test")})
    await door.set(door.route("own.test"), door.route("other.test"))
    for host, issuer in (("own.test", "deployd on"), ("OWN.test", "deployd on"), ("other.test", "default")):
        seen = await door.get(host)
        assert (seen.status, issuer in seen.issuer) == (200, True), host


async def test_a_hosts_hsts_and_lowest_version_count_over_quic(door: Door) -> None:
    await door.set(door.route("new.test", hsts=Hsts(True), min_version="TLSv1.3"), door.route("plain.test"))
    seen = await door.get("new.test")
    assert (seen.status, seen.headers["strict-transport-security"]) == (200, "max-age=31536000")
    assert "strict-transport-security" not in (await door.get("plain.test")).headers
    assert (await door.get("new.test", named="plain.test")).status == 421, "as over TCP: the handshake was another one"


async def test_nobody_gets_past_a_required_certificate_by_http_3(door: Door) -> None:
    trusted, _ = await make_authority(door.folder, "ada"), await make_authority(door.folder, "eve")
    await door.set(
        door.route("closed.test", client_authentication="require", client_certificate_authorities=(trusted,)),
        door.route("public.test", client_authentication="require"), door.route("open.test"),
    )
    for host, client in (("closed.test", None), ("closed.test", "eve"), ("public.test", None), ("public.test", "ada")):
        seen = await door.get(host, client=client)
        assert (seen.status, "alt-svc" in seen.headers) == (403, False), (host, client)
    for named in ("open.test", "public.test", "unknown.test"):
        assert (await door.get("closed.test", named=named, client="ada")).status == 421, named
    assert not door.shop.seen
    assert (await door.get("closed.test", client="ada")).status == 200
    headers = door.shop.seen[-1]["headers"]
    assert (headers["X-Client-Verify"], headers["X-Client-DN"]) == ("SUCCESS", "CN=ada,O=shop")


async def test_over_quic_too_a_host_that_requests_certificates_says_who_came(door: Door) -> None:
    trusted, _ = await make_authority(door.folder, "ada"), await make_authority(door.folder, "eve")
    await door.set(door.route("ask.test", client_authentication="request", client_certificate_authorities=(trusted,)))
    for client, verified in ((None, "NONE"), ("ada", "SUCCESS"), ("eve", "FAILED")):
        seen = await door.get("ask.test", client=client)
        assert (seen.status, "alt-svc" in seen.headers) == (200, False)
        assert door.shop.seen[-1]["headers"]["X-Client-Verify"] == verified


async def test_a_session_over_quic_opens_no_host_with_other_authorities(door: Door) -> None:
    first, second = await make_authority(door.folder, "ada"), await make_authority(door.folder, "bob")
    await door.set(
        door.route("first.test", client_authentication="require", client_certificate_authorities=(first,)),
        door.route("second.test", client_authentication="require", client_certificate_authorities=(second,)),
    )

    async def session() -> SessionTicket:
        kept: list[SessionTicket] = []
        assert (await door.get("first.test", client="ada", on_session=kept.append)).status == 200
        assert not kept[0].max_early_data_size, "a request in early data could be sent twice by others"
        return kept[0]

    again = await door.get("first.test", client="ada", session=await session())
    told = replace(await session(), server_name="second.test")   # a client of good will would not try
    other = await door.get("second.test", client="ada", session=told)
    assert (again.status, again.resumed) == (200, True)
    assert (other.status, other.resumed) == (403, False)
