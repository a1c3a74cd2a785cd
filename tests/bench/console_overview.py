"""The overview of a thousand environments: how soon it begins to come, how large it is, and what a change costs."""

from __future__ import annotations

import asyncio
import gzip
import shutil
import tempfile
import time
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

import aiohttp

from deployd.environment.naming import machine_name
from deployd.ids import ProjectId
from deployd.settings import load_settings
from scripts.local_daemon import LocalDaemon
from scripts.removal import left_behind, remove_all
from tests.bench.console_followers import sign_in
from tests.bench.many_environments import fill
from tests.bench.more_containers import docker_with

PROJECTS, BRANCHES = 10, 100
LOADED, CHANGED = 30, 50
FIRST_BYTE_SECONDS, PAGE_BYTES, UPDATE_BYTES = 0.100, 150_000, 2_000
START_SECONDS = 300.0


@dataclass(frozen=True)
class Overview:
    first_byte_seconds: Sequence[float]
    page_seconds: Sequence[float]
    """To its last byte."""
    page_bytes: int
    """As it comes when a browser says that it takes gzip."""
    text_bytes: int
    update_bytes: Sequence[int]
    """Of all events of a change."""
    update_seconds: Sequence[float]
    """From when the change was asked for."""


async def look_at_overview(say: Callable[[str], None]) -> Overview:
    async with _thousand_environments(say) as daemon:
        headers = {"Cookie": await sign_in(daemon), "Accept-Encoding": "gzip"}
        async with aiohttp.ClientSession(daemon.api, headers=headers, auto_decompress=False) as session:
            loads = [await _load(session) for _ in range(LOADED)]
            first, whole, page, text = zip(*loads, strict=True)
            say(f"the page has {page[-1]:,} bytes, {text[-1]:,} as text")
            bytes_of, seconds = await _changes(daemon, session)
    return Overview(first, whole, max(page), max(text), bytes_of, seconds)


async def _load(session: aiohttp.ClientSession) -> tuple[float, float, int, int]:
    """(seconds to the first byte, seconds to the last one, bytes, those of the text)"""
    began = time.perf_counter()
    async with session.get("/") as answer:
        first = time.perf_counter() - began
        body = await answer.read()
        whole = time.perf_counter() - began
        assert answer.status == 200
        text = gzip.decompress(body) if answer.headers.get("Content-Encoding") == "gzip" else body
    assert text.count(b'<tr role="row" id="e.') == PROJECTS * BRANCHES
    await asyncio.sleep(0.05)
    return first, whole, len(body), len(text)


async def _changes(daemon: LocalDaemon, session: aiohttp.ClientSession) -> tuple[list[int], list[float]]:
    """What a page is told when somebody locks an environment, and how soon."""
    sizes, seconds = [], []
    no_end = aiohttp.ClientTimeout(total=None)
    async with session.get("/events", timeout=no_end) as events, daemon.session() as api:
        await _parts(events, 0)   # `retry`, and `reload`, which brings the place that is current
        for number in range(CHANGED):
            name = machine_name(f"branch-{number}")
            began = time.perf_counter()
            async with api.post(f"/api/v1/projects/p{number % PROJECTS}/environments/{name}/lock",
                                json={"reason": "the books are closed"}) as answer:
                assert answer.status == 200, await answer.text()
            parts = await _parts(events, 1)
            seconds.append(time.perf_counter() - began)
            assert b"locked" in parts, parts
            sizes.append(len(parts))
    return sizes, seconds


async def _parts(events: aiohttp.ClientResponse, most: int) -> bytes:
    """What comes until so many parts have come; 0: until the page is told to load itself."""
    found = b""
    async with asyncio.timeout(30):
        while not found.endswith(b"\n\n") or found.count(b"event: part") < most or not (most or b": reload" in found):
            found += await events.content.readany()
    return found


@asynccontextmanager
async def _thousand_environments(say: Callable[[str], None]) -> AsyncIterator[LocalDaemon]:
    projects = [ProjectId(f"p{number}") for number in range(PROJECTS)]
    folder = Path(tempfile.mkdtemp(prefix="deployd-bench-", dir="/var/tmp"))
    socket = folder / "docker.sock"
    daemon = LocalDaemon(folder / "d", {name: {} for name in projects}, settings={"docker_socket": str(socket)})
    try:
        daemon.write_settings()
        settings = load_settings(daemon.settings_file)
        made = await fill(settings.state, daemon.instance, projects, BRANCHES)
        async with docker_with(made, socket):
            seconds = await daemon.start(START_SECONDS)
            say(f"{PROJECTS * BRANCHES} environments are written; ready after {seconds:.0f} s")
            yield daemon
    finally:
        await daemon.stop()
        await remove_all(daemon.instance, daemon.directory)
        left = await left_behind(daemon.instance, daemon.directory)
        shutil.rmtree(folder, ignore_errors=True)
        assert not left, left
