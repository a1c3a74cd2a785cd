"""TLS with the default certificate, HTTP/2 streams in a freeze, and the reload of a changed configuration."""

from __future__ import annotations

import asyncio
import ssl
from dataclasses import replace
from pathlib import Path, PurePosixPath

import aiohttp

from deployd.process import run
from deployd.router_process.default_certificate import ensure_default_certificate
from deployd.router_process.files import use, write_router_files
from tests.support.router_stand import (
    SOURCE,
    backend,
    docker,
    free_port,
    route,
    routes,
    running_router,
    wait_until_held,
)


async def test_https_routes_are_answered_with_tls_and_http_2_streams_are_held(tmp_path: Path) -> None:
    certificate, key = await ensure_default_certificate(tmp_path / "certificates")
    https_port = free_port()
    with running_router(
        https_port=https_port, certificate=PurePosixPath(certificate), certificate_key=PurePosixPath(key),
    ) as found:
        async with found.router() as router, backend("shop") as shop, asyncio.TaskGroup() as group:
            await router.switch(routes(
                "shop/main", "1", route("localhost", shop.target, scheme="https"),
                route("localhost", type="redirect", to="https://localhost/"),
            ))
            tls = ssl.create_default_context(cafile=str(certificate))
            async with aiohttp.ClientSession() as session:
                async with session.get(f"https://localhost:{https_port}/x", ssl=tls) as answer:
                    assert (await answer.json())["backend"] == "shop"
                async with session.get(f"http://localhost:{found.port}/x", allow_redirects=False) as answer:
                    assert answer.headers["Location"] == f"https://localhost:{https_port}/x"
            headers = {name.lower(): value for name, value in shop.seen[0]["headers"].items()}
            assert (headers["x-client-ssl"], headers["x-forwarded-proto"]) == ("on", "https")

            await router.freeze("shop/main", 30)
            urls = [f"https://localhost:{https_port}/{number}" for number in range(10)]
            multiplexed = group.create_task(run(
                "curl", "-s", "--http2", "--parallel", "--cacert", str(certificate),
                "-w", "%{http_version} %{http_code}\n", *(part for url in urls for part in ("-o", "/dev/null", url)),
            ))
            await wait_until_held(router, "shop/main", 10)
            await router.switch(routes("shop/main", "2", route("localhost", shop.target, scheme="https")))
            assert (await multiplexed).text.splitlines() == ["2 200"] * 10


async def test_a_changed_configuration_is_reloaded_and_a_wrong_one_is_not_accepted() -> None:
    with running_router() as found:
        async with found.router() as router, backend("shop") as shop, aiohttp.ClientSession() as session:
            await router.switch(routes("shop/main", "1", route("shop.test", shop.target)))
            port = free_port()
            folder = write_router_files(SOURCE, found.places, replace(found.config, http_port=port))
            assert "successful" in docker("exec", found.name, "nginx", "-t", "-c", str(folder / "nginx.conf"))
            use(found.places, folder)
            found.reload()
            await asyncio.sleep(0.5)
            async with session.get(f"http://127.0.0.1:{port}/", headers={"Host": "shop.test"}) as answer:
                assert answer.status == 200

            wrong = write_router_files(SOURCE, found.places, replace(found.config, address="no address"))
            assert "[emerg]" in docker("exec", found.name, "nginx", "-t", "-c", str(wrong / "nginx.conf"), check=False)
