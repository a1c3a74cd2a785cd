"""An application whose hooks wait until they are told to go on, and a crowd that asks all the time."""

from __future__ import annotations

import asyncio
import sqlite3
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, closing
from dataclasses import dataclass, field
from pathlib import Path

import aiohttp
from yarl import URL

from scripts.local_daemon import LocalDaemon
from tests.support.developer import Developer

LIMIT_SECONDS = 90.0
APP = """\
name: app
type: python:3.13
web:
  commands:
    start: python3 server.py
mounts:
  data:
    source: local
    source_path: data
hooks:
  deploy: |
    if [ -e waits ]; then echo waiting; while [ ! -e "data/go-$(cat text)" ]; do sleep 0.05; done; fi
"""
"""With a file `waits` its deploy hook waits for `data/go-<text>`."""


async def until(question: Callable[[], Awaitable[bool]], what: str) -> float:
    """Wait until it is so. Returns the seconds."""
    began = time.monotonic()
    while not await question():
        assert time.monotonic() - began < LIMIT_SECONDS, f"not within {LIMIT_SECONDS:.0f} s: {what}"
        await asyncio.sleep(0.02)
    return time.monotonic() - began


@dataclass(frozen=True, slots=True)
class Seen:
    """What a visitor got."""

    sent: float
    """Unix time, as `received`."""
    received: float
    status: int
    """0: no answer, because nobody listened or the connection broke."""
    body: str


@dataclass
class Crowd:
    """Visitors who come one after the other, never two at a time, each with a connection of its own."""

    me: Developer
    branch: str = "main"
    seen: list[Seen] = field(default_factory=list)

    async def come(self) -> None:
        url = URL(self.me.daemon.url(self.me.project, self.branch))
        connector = aiohttp.TCPConnector(force_close=True)
        limit = aiohttp.ClientTimeout(total=LIMIT_SECONDS)
        async with aiohttp.ClientSession(connector=connector, timeout=limit) as session:
            while True:
                sent = time.time()
                try:
                    async with session.get(url.with_host("127.0.0.1"), headers={"Host": url.authority}) as answer:
                        found = Seen(sent, time.time(), answer.status, await answer.text())
                except (aiohttp.ClientError, OSError) as error:
                    found = Seen(sent, time.time(), 0, type(error).__name__)
                self.seen.append(found)
                await asyncio.sleep(0.02)


@asynccontextmanager
async def crowd(me: Developer, *, size: int = 3) -> AsyncIterator[list[Seen]]:
    """A crowd of so many; gives what they saw so far, in the order in which it ended."""
    found = Crowd(me)
    async with asyncio.TaskGroup() as group:
        visitors = [group.create_task(found.come(), name="visitor") for _ in range(size)]
        yield found.seen
        for visitor in visitors:
            visitor.cancel()


@dataclass(frozen=True)
class Records:
    """The daemon's database, read from outside."""

    daemon: LocalDaemon

    @property
    def path(self) -> Path:
        return self.daemon.directory / "var" / "state" / "state.db"

    def newest(self, project: str) -> tuple[int, str, str]:
        """(activity, state, reason)"""
        with closing(sqlite3.connect(f"file:{self.path}?mode=ro", uri=True)) as db:
            row = db.execute(
                "SELECT id, state, reason FROM activities WHERE project = ? ORDER BY id DESC LIMIT 1", (project,),
            ).fetchone()
        return (row[0], row[1], row[2]) if row else (0, "", "")

    async def end(self, activity: int) -> tuple[str, str]:
        """(state, reason) of an activity, when it has ended."""
        async def ended() -> bool:
            return self._row(activity)[0] not in ("pending", "in_progress")
        await until(ended, f"activity {activity} has ended")
        return self._row(activity)

    async def entry(self, activity: int, step: str, event: str) -> None:
        """Wait for an entry in its journal."""
        async def there() -> bool:
            with closing(sqlite3.connect(f"file:{self.path}?mode=ro", uri=True)) as db:
                return db.execute("SELECT 1 FROM journal WHERE activity = ? AND step = ? AND event = ?",
                                  (activity, step, event)).fetchone() is not None
        await until(there, f"{step} {event} in activity {activity}")

    def _row(self, activity: int) -> tuple[str, str]:
        with closing(sqlite3.connect(f"file:{self.path}?mode=ro", uri=True)) as db:
            row = db.execute("SELECT state, reason FROM activities WHERE id = ?", (activity,)).fetchone()
        return (row[0], row[1])


async def pass_of(me: Developer) -> str:
    """An operator's cookie, as a browser gets it that opens the link."""
    async with me.daemon.session() as session, session.post(
        f"/api/v1/projects/{me.project}/environments/main/pass",
    ) as answer:
        link = URL((await answer.json())["links"][0])
    async with aiohttp.ClientSession() as browser, browser.get(
        link.with_host("127.0.0.1"), headers={"Host": link.authority}, allow_redirects=False,
    ) as answer:
        assert answer.status == 303, await answer.text()
        return answer.headers["Set-Cookie"].partition(";")[0]


async def page_with(me: Developer, cookie: str) -> str:
    """The page for who shows a cookie."""
    url = URL(me.daemon.url(me.project))
    async with aiohttp.ClientSession() as browser, browser.get(
        url.with_host("127.0.0.1"), headers={"Host": url.authority, "Cookie": cookie},
    ) as answer:
        return await answer.text()


async def held(me: Developer) -> bool:
    """Whether the router holds anybody, as the status says."""
    async with me.daemon.session() as session, session.get("/status") as answer:
        return bool((await answer.json())["router"].get("held_now"))
