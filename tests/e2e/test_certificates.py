"""Certificates that appear by themselves: from a real authority, through the real router, for a pushed application."""

from __future__ import annotations

import asyncio
import json
import ssl
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

from cryptography import x509

from deployd.environment.naming import development_host, machine_name
from deployd.process import run
from scripts.local_daemon import LocalDaemon, free_port
from scripts.removal import left_behind, remove_all
from scripts.repository import make_repository
from tests.support.developer import APP, Developer, write_start
from tests.support.pebble import pebble

DOMAIN = "{environment}-{project}.deployd.dev"
ROUTES = '"https://{default}/": {type: upstream, upstream: "app:http"}\n'
WARMING = f"""\
{APP}
hooks:
  post_deploy: python3 warm.py
"""
WARM = """
import base64, json, os, subprocess
routes = json.loads(base64.b64decode(os.environ["PLATFORM_ROUTES"]))
url = next(url for url in routes if url.startswith("https:"))
for argv in (
    ["python3", "-c", "import sys, urllib.request as r; print(r.urlopen(sys.argv[1]).read().decode())"],
    ["curl", "-sSf"], ["node", "-e", "fetch(process.argv[1]).then(a => a.text()).then(console.log)"],
):
    ended = subprocess.run([*argv, url], capture_output=True, text=True)   # at the first try: it is live by now
    print("warmed:", ended.stdout.strip() or ended.stderr)
"""
HTTP_ALONE = """
"http://{default}/": {type: upstream, upstream: "app:http"}
"http://www.{default}/": {type: redirect, to: "http://{default}/"}
"""
VALID_SECONDS = 45
LIMIT_SECONDS = 120.0


async def test_a_pushed_host_gets_a_certificate_that_is_kept_and_renewed_and_a_refusal_is_told(tmp_path: Path) -> None:
    directory = Path(tempfile.mkdtemp(prefix="deployd-e2e-"))
    http_port, https_port = free_port(), free_port()
    good, bad = (development_host(DOMAIN, "shop", machine_name(branch)) for branch in ("main", "elsewhere"))
    async with pebble(tmp_path, http_port=http_port, valid_seconds=VALID_SECONDS) as authority:
        daemon = LocalDaemon(directory, {"shop": {}}, http_port=http_port, settings={
            "domain": DOMAIN, "router": {"address": "127.0.0.1", "http_port": http_port, "https_port": https_port},
            "tls": {"certificates": "acme", "acme": {
                "directory": authority.directory, "trust": str(authority.trust), "email": "ada@deployd.dev",
                "agree_to_terms": True,
            }},
        })
        await authority.lead(bad, "127.0.0.9")   # nobody listens there
        try:
            await daemon.start()
            me = await _developer(daemon, tmp_path)
            assert (await me.push()).deployed
            serial = await _serial(https_port, good, lambda seen: "Pebble" in seen.issuer.rfc4514_string())
            [row] = await _certificates(daemon)
            assert (row["host"], row["kind"], row["state"], row["why"]) == (good, "acme", "valid", "")

            await daemon.stop()
            await daemon.start()
            assert await _serial(https_port, good, lambda _: True) == serial, "it was kept"

            assert (await me.push("elsewhere")).deployed, "a deployment does not fail for it"
            refused = await _row(daemon, bad, "refused")
            assert "127.0.0.9" in refused["why"]
            assert refused["again_at"]
            shown = await _deployd(daemon, "status", status=1)
            assert f"{bad} has no certificate: " in shown
            await _serial(https_port, good, lambda seen: seen.serial_number != serial)   # renewed
            assert not list((directory / "var/run/router/challenges").iterdir())
        finally:
            await daemon.stop()
            await remove_all(daemon.instance, directory)
        assert await left_behind(daemon.instance, directory) == []


async def test_an_environments_own_pages_are_trusted_at_once_and_the_operators_files_win(tmp_path: Path) -> None:
    directory = Path(tempfile.mkdtemp(prefix="deployd-e2e-"))
    http_port, https_port = free_port(), free_port()
    settings: dict[str, Any] = {
        "domain": DOMAIN, "router": {"address": "0.0.0.0", "http_port": http_port, "https_port": https_port},
    }
    daemon = LocalDaemon(directory, {"shop": {}}, settings=settings, http_port=http_port)
    host = development_host(DOMAIN, "shop", machine_name("main"))
    try:
        await daemon.start()
        me = await _developer(daemon, tmp_path, HTTP_ALONE)
        await me.write({".platform.app.yaml": WARMING, "warm.py": WARM})
        pushed = await me.push()
        assert pushed.deployed, "\n".join(pushed.lines)
        assert "\n".join(pushed.lines).count("warmed: first on main") == 3, pushed.lines
        await _serial(https_port, host, lambda seen: "deployd on" in seen.issuer.rfc4514_string())
        trusted = ssl.create_default_context(
            cafile=str(directory / "var/state/certificates/local-authority/authority.pem"))
        for name, status in ((host, 200), (f"www.{host}", 301)):   # the platforms make both for `http://` alone
            await _serial(https_port, name, lambda seen: "deployd on" in seen.issuer.rfc4514_string())
            reader, writer = await asyncio.open_connection("127.0.0.1", https_port, ssl=trusted, server_hostname=name)
            writer.write(f"GET / HTTP/1.1\r\nHost: {name}\r\nConnection: close\r\n\r\n".encode())
            assert (await reader.readline()).startswith(f"HTTP/1.1 {status} ".encode())
            writer.close()

        files = {"certificate": f"{tmp_path}/own.pem", "key": f"{tmp_path}/own.key"}
        await run(
            "openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes",
            "-subj", "/CN=own", "-addext", "subjectAltName=DNS:*.deployd.dev",
            "-keyout", files["key"], "-out", files["certificate"],
        )
        daemon.settings = {**settings, "tls": {"certificates": "local", "own": [files]}}
        await daemon.stop()
        await daemon.start()
        await _serial(https_port, host, lambda seen: "own" in seen.subject.rfc4514_string())
        assert (await _row(daemon, host, "valid"))["kind"] == "own"
        assert (await _row(daemon, f"www.{host}", "valid"))["kind"] == "local", "a level that they are not for"
    finally:
        await daemon.stop()
        await remove_all(daemon.instance, directory)
    assert await left_behind(daemon.instance, directory) == []


async def _developer(daemon: LocalDaemon, folder: Path, routes: str = ROUTES) -> Developer:
    start = write_start(folder / "start", {".platform/routes.yaml": routes})
    await make_repository(folder / "shop", start)
    return Developer(daemon, folder / "shop", "shop")


async def _serial(port: int, host: str, right: Callable[[x509.Certificate], bool]) -> int:
    """The serial number of what a visitor is shown, as soon as it is right."""
    tls = ssl.create_default_context()
    tls.check_hostname, tls.verify_mode = False, ssl.CERT_NONE
    async with asyncio.timeout(LIMIT_SECONDS):
        while True:
            _, writer = await asyncio.open_connection("127.0.0.1", port, ssl=tls, server_hostname=host)
            seen = x509.load_der_x509_certificate(writer.get_extra_info("ssl_object").getpeercert(True))
            writer.close()
            if right(seen):
                return seen.serial_number
            await asyncio.sleep(0.2)


async def _row(daemon: LocalDaemon, host: str, state: str) -> dict[str, Any]:
    """What the command line says of a host, as soon as it is in a state."""
    async with asyncio.timeout(LIMIT_SECONDS):
        while True:
            for row in await _certificates(daemon):
                if (row["host"], row["state"]) == (host, state):
                    return row
            await asyncio.sleep(0.5)


async def _certificates(daemon: LocalDaemon) -> list[dict[str, Any]]:
    return list(json.loads(await _deployd(daemon, "certificates", "--json")))


async def _deployd(daemon: LocalDaemon, *words: str, status: int = 0) -> str:
    socket = daemon.directory / "var" / "run" / "api.sock"
    ran = await run(sys.executable, "-m", "deployd", *words, "--socket", str(socket), check=False)
    assert ran.status == status, ran
    return ran.text
