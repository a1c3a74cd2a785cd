"""Visitors of every place, who read and order all the time, and note what they got and when."""

from __future__ import annotations

import asyncio
import time
import uuid
from collections.abc import Iterator
from dataclasses import dataclass, field

import aiohttp
from yarl import URL

from scripts.local_daemon import LocalDaemon
from tests.chaos.sample import Place

PAUSE_SECONDS = 0.1
LIMIT_SECONDS = 100.0
"""The longest hold is 60 s."""


@dataclass(frozen=True, slots=True)
class Answer:
    """One request and what came back."""

    place: Place
    sent: float
    """Unix time, as all of these."""
    received: float
    status: int
    """0: no answer at all."""
    body: str
    order: str = ""
    """What a POST brought."""

    def __str__(self) -> str:
        what = "POST" if self.order else "GET"
        return (f"{what} {self.place.project}/{self.place.branch} sent {self.sent:.3f}, after "
                f"{self.received - self.sent:.3f} s: {self.status} {self.body[:120]!r}")


@dataclass
class Visitors:
    """A crowd for each place: one who reads and one who orders."""

    daemon: LocalDaemon
    places: tuple[Place, ...]
    answers: list[Answer] = field(default_factory=list)
    _gone: asyncio.Event = field(default_factory=asyncio.Event)

    async def visit(self) -> None:
        """Come again and again, until `leave`."""
        async with asyncio.TaskGroup() as group:
            for place in self.places:
                for order in (False, True):
                    group.create_task(self._come(place, order), name=f"visitor of {place.project}/{place.branch}")

    def leave(self) -> None:
        self._gone.set()

    def orders(self) -> Iterator[tuple[Place, str]]:
        """What was ordered and answered."""
        return ((answer.place, answer.order) for answer in self.answers if answer.order and answer.status == 200)

    async def _come(self, place: Place, orders: bool) -> None:
        url = URL(self.daemon.url(place.project, place.branch))
        # A connection for each visit: a library that repeats a request on a stale one would hide an error.
        connector = aiohttp.TCPConnector(force_close=True)
        limit = aiohttp.ClientTimeout(total=LIMIT_SECONDS)
        headers = {"Host": url.authority, "Accept": "application/json"}
        async with aiohttp.ClientSession(connector=connector, timeout=limit, headers=headers) as session:
            while not self._gone.is_set():
                self.answers.append(await _ask(session, url.with_host("127.0.0.1"), place, orders))
                await asyncio.sleep(PAUSE_SECONDS)


async def _ask(session: aiohttp.ClientSession, url: URL, place: Place, orders: bool) -> Answer:
    order = uuid.uuid4().hex if orders else ""
    began = time.time()
    try:
        async with session.request("POST" if orders else "GET", url, data=order or None) as answer:
            body = await answer.text()
            return Answer(place, began, time.time(), answer.status, body, order)
    except (aiohttp.ClientError, TimeoutError) as error:
        return Answer(place, began, time.time(), 0, f"{type(error).__name__}: {error}", order)
