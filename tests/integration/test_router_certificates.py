"""Certificates of hosts, read at the handshake; and what an authority asks for over HTTP."""

from __future__ import annotations

import asyncio
import os
import ssl
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path, PurePosixPath

import aiohttp
import pytest
from cryptography import x509

from deployd.certificates.local import LocalAuthority
from deployd.certificates.storage import RouterCertificates, write
from deployd.clock import SystemClock
from deployd.router_process.default_certificate import ensure_default_certificate
from tests.support.router_stand import Stand, backend, docker, free_port, route, routes, running_router, wait_until_held

IN_A_ROW = 20
CHALLENGE = "/.well-known/acme-challenge/"


@contextmanager
def router_with_tls(folder: Path) -> Iterator[Stand]:
    certificate, key = asyncio.run(ensure_default_certificate(folder / "default"))
    with running_router(
        https_port=free_port(), certificate=PurePosixPath(certificate), certificate_key=PurePosixPath(key),
    ) as found:
        yield found


@pytest.fixture(scope="module")
def stand(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stand]:
    with router_with_tls(tmp_path_factory.mktemp("tls")) as found:
        yield found


async def shown(stand: Stand, host: str) -> dict[str, object]:
    """The certificate that a client gets who asks for a host, unverified; {} for the one that nginx signed itself."""
    tls = ssl.create_default_context()
    tls.check_hostname, tls.verify_mode = False, ssl.CERT_NONE
    _, writer = await asyncio.open_connection("127.0.0.1", stand.config.https_port, ssl=tls, server_hostname=host)
    der = writer.get_extra_info("ssl_object").getpeercert(True)
    writer.close()
    found = x509.load_der_x509_certificate(der)
    return {"issuer": found.issuer.rfc4514_string(), "serial": found.serial_number}


async def until_all_show(stand: Stand, host: str, right: Callable[[dict[str, object]], bool]) -> None:
    """Each of nginx's workers looks at the file by itself, after some seconds."""
    in_a_row = 0
    async with asyncio.timeout(60):
        while in_a_row < IN_A_ROW:
            in_a_row = in_a_row + 1 if right(await shown(stand, host)) else 0
            await asyncio.sleep(0.1)


async def test_a_host_shows_its_own_certificate_and_the_next_one_without_a_reload(stand: Stand, tmp_path: Path) -> None:
    authority = LocalAuthority(tmp_path, SystemClock())
    laid_out = RouterCertificates(stand.places.certificates)
    async with stand.router() as router, backend("shop") as shop:
        await router.switch(routes(
            "shop/main", "1", *(route(host, shop.target, scheme="https") for host in ("a.test", "b.test")),
        ))
        assert "default" in str((await shown(stand, "a.test"))["issuer"])
        first = await authority.issue("a.test")
        laid_out.show({"a.test": first, "nobody.test": await authority.issue("nobody.test")})
        await until_all_show(stand, "a.test", lambda seen: "deployd on" in str(seen["issuer"]))
        assert "default" in str((await shown(stand, "b.test"))["issuer"])
        assert "default" in str((await shown(stand, "nobody.test"))["issuer"]), "a name that leads nowhere"

        tls = ssl.create_default_context(cafile=str(authority.certificate))
        async with aiohttp.ClientSession() as session, session.get(
            f"https://127.0.0.1:{stand.config.https_port}/", ssl=tls, server_hostname="a.test",
            headers={"Host": "a.test"},
        ) as answer:
            assert (await answer.json())["backend"] == "shop"

        serial = (await shown(stand, "a.test"))["serial"]
        laid_out.show({"a.test": await authority.issue("a.test")})
        await until_all_show(stand, "a.test", lambda seen: seen["serial"] != serial)


async def test_a_file_that_is_no_certificate_does_not_end_the_handshake(stand: Stand) -> None:
    async with stand.router() as router, backend("shop") as shop:
        await router.switch(routes("broken/main", "1", route("broken.test", shop.target, scheme="https")))
        write(stand.places.certificates / "broken.test.pem", "no certificate", 0o640, group=33)
        assert "default" in str((await shown(stand, "broken.test"))["issuer"])
    async with asyncio.timeout(10):   # Docker writes it down in its own time
        while "the certificate of broken.test cannot be used" not in await asyncio.to_thread(stand.log):
            await asyncio.sleep(0.1)


def test_keys_are_for_root_and_nginx_only(stand: Stand, tmp_path: Path) -> None:
    certificate = asyncio.run(LocalAuthority(tmp_path, SystemClock()).issue("key.test"))
    assert certificate.ends > datetime.now(UTC)
    RouterCertificates(stand.places.certificates).show({"key.test": certificate})
    file = stand.places.certificates / "key.test.pem"
    assert (file.stat().st_mode & 0o777, file.stat().st_gid) == (0o640, 33)
    assert (file.parent.stat().st_mode & 0o777) == 0o710
    assert "Permission denied" in docker("exec", "-u", "nobody", stand.name, "cat", str(file), check=False)
    RouterCertificates(stand.places.certificates).show({})
    assert not os.listdir(file.parent)


async def ask(stand: Stand, host: str, path: str) -> tuple[int, str]:
    url = aiohttp.client.URL(f"http://127.0.0.1:{stand.port}{path}", encoded=True)
    async with aiohttp.ClientSession() as session, session.get(
        url, headers={"Host": host}, allow_redirects=False,
    ) as answer:
        return answer.status, await answer.text()


async def test_an_authoritys_question_is_answered_before_everything_else(stand: Stand) -> None:
    proof = stand.places.challenges / "the-token_1"
    write(proof, "the-token_1.of-the-account", 0o644)
    answered = (200, "the-token_1.of-the-account")
    async with stand.router() as router, backend("shop") as shop, asyncio.TaskGroup() as group:
        assert await ask(stand, "unknown.test", CHALLENGE + proof.name) == answered
        await router.switch(routes(
            "ask/main", "1", route("ask.test", type="redirect", to="https://ask.test/"),
            route("ask.test", shop.target, scheme="https"), route("plain.test", shop.target),
        ))
        assert await ask(stand, "ask.test", CHALLENGE + proof.name) == answered, "no redirect"
        assert (await ask(stand, "ask.test", CHALLENGE + "another"))[0] == 301
        assert '"backend": "shop"' in (await ask(stand, "plain.test", CHALLENGE + "another"))[1], "the application's"
        for path in ("../router.sock", "..%2f..%2fcurrent%2fnginx.conf", "the-token_1%00", "the-token_1/", ""):
            assert "of-the-account" not in (await ask(stand, "plain.test", CHALLENGE + path))[1], path
        await router.freeze("ask/main", 30)
        assert await ask(stand, "plain.test", CHALLENGE + proof.name) == answered, "in a freeze"
        waiting = group.create_task(ask(stand, "plain.test", "/"))
        await wait_until_held(router, "ask/main", 1)
        await router.thaw("ask/main")
        assert (await waiting)[0] == 200
        await router.maintenance("ask/main", on=True)
        assert await ask(stand, "plain.test", CHALLENGE + proof.name) == answered, "in maintenance"
        proof.unlink()
        assert (await ask(stand, "plain.test", CHALLENGE + proof.name))[0] == 503
