"""A log of 200,000 lines, written by a real hook: how soon its end is there, and what stands in it found."""

from __future__ import annotations

import asyncio
import gzip
import re
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import aiohttp
from playwright.async_api import Page, async_playwright

from deployd.http.slow_readers import MOST_SECONDS
from scripts.local_daemon import LocalDaemon
from tests.bench.console_followers import (
    PROJECT,
    add_hook,
    console_stand,
    forget_highest_memory,
    highest_memory_mb,
    memory_mb,
)
from tests.bench.console_wire import Address, reader_of_nothing

LINES = 200_000
STALLED = 200
SETTLE_SECONDS = 5.0
OPENED = 9
OPEN_SECONDS, SEARCH_SECONDS = 1.0, 1.0
HOOK = f"""
for number in range({LINES}):
    print(f"product {{number}} of {LINES}: price, stock and images imported")
"""
RARE, COMMON, NOWHERE = f"product {LINES // 3} of", "images", "nothing of the kind"
CHROMIUM = "/usr/bin/chromium"
ARGUMENTS = ["--headless", "--no-sandbox", "--disable-gpu", "--no-first-run", "--disable-background-networking",
             "--disable-component-update", "--disable-sync"]
LAST_LINE_IN_SIGHT = """number => {
    const line = document.getElementById(`L${number}`)
    return line && line.getBoundingClientRect().bottom <= innerHeight + 1
}"""


@dataclass(frozen=True)
class LongLog:
    lines: int
    written_seconds: float
    """The activity's, of which the hook is the most."""
    first_byte_seconds: Sequence[float]
    page_seconds: Sequence[float]
    page_bytes: int
    chromium_seconds: Sequence[float]
    """From the click to the last line in sight."""
    middle_seconds: Sequence[float]
    """A page that begins in the middle."""
    rare_seconds: Sequence[float]
    common_seconds: Sequence[float]
    nowhere_seconds: Sequence[float]
    memory_mb: float
    """The most of the daemon's, meanwhile."""
    stalled_kb: float
    """That the daemon keeps for each who begins to follow it from its first line on, and reads nothing."""
    stalled_left: int
    """Of them, when their time is over."""


async def open_long_log(say: Callable[[str], None]) -> LongLog:
    async with console_stand() as (stand, cookie):
        repository = await stand.repository(PROJECT)
        add_hook(repository, HOOK)
        await stand.new_version(repository, "long")
        await stand.push(repository, PROJECT)
        number, seconds = await _newest(stand.daemon)
        say(f"a hook has written {LINES:,} lines; its deployment took {seconds:.0f} s")
        pid = stand.daemon.running()
        assert pid is not None
        forget_highest_memory(pid)
        path = f"/activities/{number}"
        headers = {"Cookie": cookie, "Accept-Encoding": "gzip"}
        async with aiohttp.ClientSession(stand.daemon.api, headers=headers, auto_decompress=False) as session:
            text = await _text(session, path)
            assert f"product {LINES - 1} of {LINES}" in text
            last = max(int(found) for found in re.findall(r'id="L(\d+)"', text))
            assert last > LINES
            opened = [await _opened(session, path) for _ in range(OPENED)]
            middle = [(await _opened(session, f"{path}?from={LINES // 2}"))[1] for _ in range(OPENED)]
            found = {wanted: [(await _opened(session, f"{path}?q={wanted}"))[1] for _ in range(OPENED)]
                     for wanted in (RARE, COMMON, NOWHERE)}
            assert f"product {LINES // 3} of" in await _text(session, f"{path}?q={RARE}")
        shown = await _in_chromium(stand.daemon, path, last)
        memory = highest_memory_mb(pid)
        stalled = await _stall(say, pid, Address("127.0.0.1", stand.daemon.api_port, f"Cookie: {cookie}\r\n"), path)
    first, whole, sizes = zip(*opened, strict=True)
    say(f"its end is there after {max(whole):.2f} s, in Chromium {max(shown):.2f} s, found in {max(found[RARE]):.2f} s")
    return LongLog(last, seconds, first, whole, max(sizes), shown, middle, found[RARE], found[COMMON], found[NOWHERE],
                   memory, *stalled)


async def _stall(say: Callable[[str], None], pid: int, address: Address, path: str) -> tuple[float, int]:
    """(kilobytes for each, connections that are left when their time is over)"""
    memory, descriptors = memory_mb(pid), _descriptors(pid)
    readers = [reader_of_nothing(address, f"{path}/events") for _ in range(STALLED)]
    await asyncio.sleep(SETTLE_SECONDS)
    each = 1000 * (memory_mb(pid) - memory) / STALLED
    say(f"{STALLED} who read nothing of it cost {each:.0f} KB each")
    await asyncio.sleep(MOST_SECONDS)
    left = max(0, _descriptors(pid) - descriptors)
    for reader in readers:
        reader.close()
    return round(each, 1), left


def _descriptors(pid: int) -> int:
    return len(list(Path(f"/proc/{pid}/fd").iterdir()))


async def _newest(daemon: LocalDaemon) -> tuple[int, float]:
    async with daemon.session() as session, session.get("/api/v1/activities?limit=1") as answer:
        [found] = (await answer.json())["items"]
        return found["id"], found["seconds"]


async def _opened(session: aiohttp.ClientSession, path: str) -> tuple[float, float, int]:
    """(seconds to the first byte, seconds to the last one, bytes)"""
    began = time.perf_counter()
    async with session.get(path) as answer:
        assert answer.status == 200
        first = time.perf_counter() - began
        size = len(await answer.read())
    return first, time.perf_counter() - began, size


async def _text(session: aiohttp.ClientSession, path: str) -> str:
    async with session.get(path) as answer:
        body = await answer.read()
    return (gzip.decompress(body) if answer.headers.get("Content-Encoding") == "gzip" else body).decode()


async def _in_chromium(daemon: LocalDaemon, path: str, last: int) -> list[float]:
    """As somebody does who looks for why it failed: from the environment's page to the end of the log."""
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(executable_path=CHROMIUM, args=ARGUMENTS)
        page = await browser.new_page()
        await page.goto(f"{daemon.api}{path}")
        await page.keyboard.type(daemon.token)
        async with page.expect_navigation():
            await page.keyboard.press("Enter")
        seconds = [await _shown(page, f"{daemon.api}{path}#end", last) for _ in range(OPENED)]
        await browser.close()
    return seconds


async def _shown(page: Page, address: str, last: int) -> float:
    await page.goto(f"{address.partition('/activities')[0]}/sessions")
    await asyncio.sleep(0.2)
    began = time.perf_counter()
    await page.goto(address, wait_until="commit")
    await page.wait_for_function(LAST_LINE_IN_SIGHT, arg=last, polling="raf")
    return time.perf_counter() - began
