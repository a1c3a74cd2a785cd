"""Remotes that are not well: one that says nothing, one that drips, one whose certificate nobody knows."""

from __future__ import annotations

import asyncio
import os
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from deployd.errors import Transient
from deployd.git import remote
from deployd.git.mirror import Mirror
from deployd.git.remote import Fetches, FetchFailed, fetch
from deployd.process import run

Serve = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]
SAYS_IT_IS_GIT = (
    b"HTTP/1.1 200 OK\r\nContent-Type: application/x-git-upload-pack-advertisement\r\n"
    b"Content-Length: 100000\r\n\r\n001e# service=git-upload-pack\n0000"
)


@pytest.fixture
async def mirror(tmp_path: Path) -> Mirror:
    found = Mirror(tmp_path / "mirror.git")
    await found.ensure()
    return found


@asynccontextmanager
async def server(serve: Serve, context: ssl.SSLContext | None = None) -> AsyncIterator[int]:
    """Gives its port. Connections are let go at the end."""
    async def connected(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            await serve(reader, writer)
        except (ConnectionError, asyncio.CancelledError):
            pass
        finally:
            writer.close()

    async with await asyncio.start_server(connected, "127.0.0.1", 0, ssl=context) as found:
        yield found.sockets[0].getsockname()[1]


async def say_nothing(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    while await reader.read(1000):
        pass


async def drip(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    writer.write(SAYS_IT_IS_GIT)
    while not reader.at_eof():
        writer.write(b"0")
        await writer.drain()
        await asyncio.sleep(0.05)


async def programs_of(folder: Path) -> int:
    """How many processes have this folder among their arguments."""
    count = 0
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit() and int(entry.name) != os.getpid():
            try:
                count += str(folder).encode() in (entry / "cmdline").read_bytes()
            except OSError:
                continue
    return count


@pytest.mark.parametrize("serve", [say_nothing, drip])
async def test_a_remote_that_hangs_is_ended_in_time_and_tried_again_later(serve: Serve, mirror: Mirror) -> None:
    async with server(serve) as port:
        with pytest.raises(Transient) as caught:
            await fetch(mirror, f"http://ann:pass-word@127.0.0.1:{port}/shop.git", limit_seconds=1.5)
    assert caught.value.error.what == f"http://127.0.0.1:{port}/shop.git did not answer within 1.5 s"
    assert await programs_of(mirror.path) == 0


async def test_a_server_that_says_nothing_is_given_up_long_before_the_limit(
    mirror: Mirror, monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setitem(remote.FETCHING, "GIT_HTTP_LOW_SPEED_TIME", "1")
    async with server(say_nothing) as port:
        with pytest.raises(Transient) as caught:
            await fetch(mirror, f"http://127.0.0.1:{port}/shop.git", limit_seconds=300)
    assert "cannot fetch" in caught.value.error.what
    assert any("too slow" in line or "timed out" in line.lower() for line in caught.value.error.evidence)


async def test_who_waits_for_a_fetch_that_fails_has_its_error(mirror: Mirror, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(remote.FETCHING, "GIT_HTTP_LOW_SPEED_TIME", "1")
    connections, failed = 0, 0

    async def count(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal connections
        connections += 1
        await say_nothing(reader, writer)

    async with server(count) as port:
        fetches = Fetches()

        async def ask() -> None:
            nonlocal failed
            with pytest.raises(Transient):
                await fetches.fetch(mirror, f"http://127.0.0.1:{port}/shop.git", None)
            failed += 1

        async with asyncio.TaskGroup() as group:
            for _ in range(10):
                group.create_task(ask())
    assert failed == 10
    assert connections == 2, "the first one's, and one for all who asked after it had begun"


async def test_an_unknown_certificate_is_not_tried_again(mirror: Mirror, tmp_path: Path) -> None:
    key, certificate = tmp_path / "key.pem", tmp_path / "cert.pem"
    await run("openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes",
              "-subj", "/CN=127.0.0.1", "-days", "2", "-keyout", str(key), "-out", str(certificate))
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate, key)
    async with server(say_nothing, context) as port:
        with pytest.raises(FetchFailed) as caught:
            await fetch(mirror, f"https://127.0.0.1:{port}/shop.git", limit_seconds=60)
    assert any("certificate" in line for line in caught.value.evidence)


async def test_a_server_that_speaks_no_tls_is_tried_again_later(mirror: Mirror) -> None:
    async def speak_plainly(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read(100)
        writer.write(b"HTTP/1.1 400 Bad Request\r\n\r\n")

    async with server(speak_plainly) as port:
        with pytest.raises(Transient) as caught:
            await fetch(mirror, f"https://127.0.0.1:{port}/shop.git", limit_seconds=60)
    assert "cannot fetch" in caught.value.error.what
    assert caught.value.error.evidence
