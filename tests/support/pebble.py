"""Debian's `pebble`: a real ACME authority for tests, with name servers that lead every name to this host."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import socket
import subprocess
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

import aiohttp

from deployd.certificates.local import LocalAuthority
from deployd.clock import SystemClock
from scripts.local_daemon import free_port

START_SECONDS = 30.0


@dataclass(frozen=True, slots=True)
class Pebble:
    directory: str
    trust: Path
    """Who signed the directory's own certificate."""
    names: str
    """Where the name server is told what names lead to."""

    async def lead(self, host: str, address: str) -> None:
        async with aiohttp.ClientSession() as session, session.post(
            f"{self.names}/add-a", json={"host": f"{host}.", "addresses": [address]},
        ) as answer:
            assert answer.status == 200, await answer.text()


@asynccontextmanager
async def pebble(folder: Path, *, http_port: int, valid_seconds: int) -> AsyncIterator[Pebble]:
    """
    Args:
        http_port: Where it looks for proofs.
        valid_seconds: How long its certificates are good.
    """
    authority = LocalAuthority(folder / "trust", SystemClock())
    own = await authority.issue("127.0.0.1")
    (folder / "cert.pem").write_text(own.chain)
    (folder / "key.pem").write_text(own.key)
    port, management, names, told = (free_port() for _ in range(4))
    (folder / "pebble.json").write_text(json.dumps({"pebble": {
        "listenAddress": f"127.0.0.1:{port}", "managementListenAddress": f"127.0.0.1:{management}",
        "certificate": str(folder / "cert.pem"), "privateKey": str(folder / "key.pem"), "httpPort": http_port,
        "tlsPort": 1, "ocspResponderURL": "", "externalAccountBindingRequired": False,
        "certificateValidityPeriod": valid_seconds,
    }}))
    started = []
    try:
        with (folder / "pebble.log").open("wb") as log:
            for command in (
                ("pebble-challtestsrv", "-dns01", f"127.0.0.1:{names}", "-management", f"127.0.0.1:{told}",
                 "-http01", "", "-https01", "", "-tlsalpn01", "", "-defaultIPv6", ""),
                ("pebble", "-config", str(folder / "pebble.json"), "-dnsserver", f"127.0.0.1:{names}"),
            ):
                started.append(subprocess.Popen(
                    command, stdout=log, stderr=log, env={**os.environ, "PEBBLE_VA_NOSLEEP": "1"},
                ))
        await asyncio.gather(*(_until_open(number) for number in (port, told)))
        yield Pebble(f"https://127.0.0.1:{port}/dir", authority.certificate, f"http://127.0.0.1:{told}")
    finally:
        for process in started:
            process.send_signal(signal.SIGTERM)
            process.wait()


async def _until_open(port: int) -> None:
    async with asyncio.timeout(START_SECONDS):
        while True:
            with socket.socket() as probe:
                if probe.connect_ex(("127.0.0.1", port)) == 0:
                    return
            await asyncio.sleep(0.05)
