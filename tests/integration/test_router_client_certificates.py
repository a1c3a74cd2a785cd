"""What a host asks of those who come over TLS: HSTS, the newest version, a client's certificate."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

import pytest
from aiohttp import web

from deployd.process import run
from deployd.project.model import Hsts, RouteCache, RouteTls
from deployd.router.control import Router, RouterRefused
from deployd.router.table import Route
from deployd.router_process.default_certificate import ensure_default_certificate
from tests.support.client_authorities import make_authority
from tests.support.router_stand import Backend, Stand, backend, docker, free_port, route, routes, running_router


@dataclass
class Door:
    """A router with TLS, and authorities whose clients come to it."""

    stand: Stand
    router: Router
    shop: Backend
    folder: Path
    port: int

    async def authority(self, name: str) -> str:
        return await make_authority(self.folder, name)

    def shown_by(self, client: str, dashes: str = "--") -> tuple[str, ...]:
        folder = self.folder
        return (f"{dashes}cert", str(folder / f"{client}.pem"), f"{dashes}key", str(folder / f"{client}.key"))

    async def ask(self, host: str, *more: str, client: str | None = None, path: str = "/") -> tuple[int, str]:
        """(status, everything that was answered); status 0 when there was no answer."""
        shown = self.shown_by(client) if client else ()
        ran = await run(
            "curl", "-sk", "--include", "--resolve", f"{host}:{self.port}:127.0.0.1", "-w", "\n%{http_code}",
            *shown, *more, f"https://{host}:{self.port}{path}", check=False,
        )
        text, _, status = ran.text.rpartition("\n")
        return int(status), text

    async def set(self, *found: Route) -> None:
        await self.router.switch(routes("shop/main", "1", *found))

    def route(self, host: str, **tls: object) -> Route:
        return route(host, self.shop.target, scheme="https", tls=RouteTls(**tls))  # type: ignore[arg-type]


@pytest.fixture
async def door(tmp_path: Path) -> AsyncIterator[Door]:
    certificate, key = await ensure_default_certificate(tmp_path / "certificates")
    port = free_port()
    with running_router(
        https_port=port, certificate=PurePosixPath(certificate), certificate_key=PurePosixPath(key),
    ) as stand:
        async with stand.router() as router, backend("shop") as shop:
            await router.complete()
            yield Door(stand, router, shop, tmp_path, port)
        assert "[error]" not in docker("logs", stand.name)


async def test_hsts_is_sent_over_tls_by_every_answer_of_its_host_and_by_no_other(door: Door) -> None:
    await door.set(
        door.route("a.test", hsts=Hsts(True, True, True)), door.route("b.test", hsts=Hsts(False, True)),
        route("a.test", door.shop.target),
    )
    header = "strict-transport-security: max-age=31536000; includesubdomains; preload"
    assert header in (await door.ask("a.test"))[1].lower()
    assert "strict-transport" not in (await door.ask("b.test"))[1].lower()
    plain = await run("curl", "-si", "-H", "Host: a.test", door.stand.url())
    assert "strict-transport" not in plain.text.lower()


async def test_a_host_may_ask_for_the_newest_tls_and_older_clients_end_in_the_handshake(door: Door) -> None:
    await door.set(door.route("new.test", min_version="TLSv1.3"), door.route("old.test", min_version="TLSv1.0"))
    old = ("--tls-max", "1.2")
    assert (await door.ask("new.test"))[0] == 200
    assert (await door.ask("new.test", *old))[0] == 0
    assert (await door.ask("old.test", *old))[0] == 200
    # A handshake for one host and a request for another one do not get around it.
    assert (await door.ask("old.test", *old, "-H", f"Host: new.test:{door.port}"))[0] == 421


async def test_a_host_that_requires_certificates_lets_in_whom_its_authorities_signed(door: Door) -> None:
    trusted, _ = await door.authority("ada"), await door.authority("eve")
    await door.set(
        door.route("closed.test", client_authentication="require", client_certificate_authorities=(trusted,)),
        door.route("open.test"),
    )
    assert (await door.ask("open.test"))[0] == 200
    status, page = await door.ask("closed.test", "-H", "Accept: text/html")
    assert (status, "asks for your certificate" in page) == (403, True)
    assert (await door.ask("closed.test", client="eve"))[0] == 403
    for version in ("1.2", "1.3"):
        assert (await door.ask("closed.test", "--tls-max", version, client="ada"))[0] == 200
    seen = {name.lower(): value for name, value in door.shop.seen[-1]["headers"].items()}
    assert seen["x-client-verify"] == "SUCCESS"
    assert "CN=ada" in seen["x-client-dn"]
    assert seen["x-client-cert"].startswith("-----BEGIN%20CERTIFICATE-----")
    assert (await door.ask("open.test", "-H", f"Host: closed.test:{door.port}", client="ada"))[0] == 421


async def test_a_host_that_requests_certificates_lets_everybody_in_and_says_who_came(door: Door) -> None:
    trusted, _ = await door.authority("ada"), await door.authority("eve")
    await door.set(door.route("ask.test", client_authentication="request", client_certificate_authorities=(trusted,)))
    verified = []
    for client in (None, "ada", "eve"):
        assert (await door.ask("ask.test", "-H", "X-Client-Verify: SUCCESS", client=client))[0] == 200
        verified.append(door.shop.seen[-1]["headers"].get("X-Client-Verify"))
    assert verified == ["NONE", "SUCCESS", "FAILED"]


async def test_what_was_made_for_one_client_is_not_kept_for_another(door: Door) -> None:
    """The application may write a page for a certificate's owner and call it fresh for an hour."""
    async def page(request: web.Request) -> web.Response:
        fresh = {"Cache-Control": "max-age=3600"}
        return web.Response(text=request.headers.get("X-Client-DN", "nobody"), headers=fresh)

    both = f"{await door.authority('ada')}\n{await door.authority('bob')}"
    tls = RouteTls(client_authentication="request", client_certificate_authorities=(both,))
    async with backend("pages", routes={"/": page}) as pages:
        await door.set(route("ask.test", pages.target, scheme="https", tls=tls, cache=RouteCache()))
        for client, cached in (("ada", "bypass"), ("bob", "bypass"), (None, "miss"), (None, "hit"), ("ada", "bypass")):
            _, text = await door.ask("ask.test", client=client)
            assert text.splitlines()[-1] == (f"CN={client},O=shop" if client else "nobody")
            assert f"x-platform-cache: {cached}" in text.lower()


async def test_a_session_of_one_host_opens_no_other_one_with_other_authorities(door: Door) -> None:
    first, second = await door.authority("ada"), await door.authority("bob")
    await door.set(
        door.route("first.test", client_authentication="require", client_certificate_authorities=(first,)),
        door.route("second.test", client_authentication="require", client_certificate_authorities=(second,)),
    )
    kept = str(door.folder / "session")

    async def speak(host: str, *more: str) -> str:
        asked = f"GET / HTTP/1.1\r\nHost: {host}:{door.port}\r\nConnection: close\r\n\r\n"
        ran = await run(
            "openssl", "s_client", "-connect", f"127.0.0.1:{door.port}", "-servername", host, "-ign_eof", *more,
            *door.shown_by("ada", "-"), stdin=asked.encode(), check=False,
        )
        return ran.text

    for version in ("-tls1_2", "-tls1_3"):
        assert "HTTP/1.1 200" in await speak("first.test", version, "-sess_out", kept)
        again = await speak("first.test", version, "-sess_in", kept)
        assert ("HTTP/1.1 200" in again, "Reused" in again) == (True, True)
        other = await speak("second.test", version, "-sess_in", kept)
        assert "HTTP/1.1 403" in other
        assert "Reused" not in other


async def test_without_authorities_of_its_own_a_host_trusts_the_public_ones(door: Door) -> None:
    await door.authority("ada")
    await door.set(door.route("public.test", client_authentication="require"))
    assert (await door.ask("public.test", client="ada"))[0] == 403
    assert (await door.ask("public.test"))[0] == 403


async def test_authorities_that_are_no_certificates_are_refused_and_nothing_changes(door: Door) -> None:
    wrong = "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----"
    with pytest.raises(RouterRefused, match=r"the authorities for clients of a\.test are not certificates"):
        await door.set(door.route("a.test", client_authentication="require", client_certificate_authorities=(wrong,)))
    assert await door.router.look("shop/main") is None
