"""A load generator for this machine: `python -m scripts.load http://main-x-shop.localhost:8080/ --seconds 10`.

Requests start at a fixed rate whatever happens to those before (an open loop), so that a hold shows as waiting and not
as a pause. Each answer is judged: its status, its version, and that nothing old comes after something new. Hosts other
than this machine are refused.
"""

from __future__ import annotations

import argparse
import asyncio
import ipaddress
import itertools
import socket
import sys
import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from urllib.parse import urlsplit

import aiohttp
from aiohttp.abc import AbstractResolver, ResolveResult

VERSION_HEADER = "X-Shop-Version"
LIMIT_SECONDS = 90.0
"""A request may be held for 60 s; what takes longer has failed."""
MOST_AT_ONCE = 4000


@dataclass(frozen=True, slots=True)
class Ask:
    """One kind of request of the mix."""

    method: str
    path: str
    status: int = 200
    """The only status that is right."""
    form: tuple[tuple[str, str], ...] = ()


SHOP = (
    Ask("GET", "/"),
    Ask("GET", "/status.json"),
    Ask("POST", "/order", 201, (("product", "3"),)),
    Ask("GET", "/static/shop.css"),
)


@dataclass
class Counted:
    """What was seen."""

    requests: int = 0
    failed: int = 0
    longest_wait: float = 0.0
    longest_was: str = ""
    statuses: Counter[str] = field(default_factory=Counter)
    versions: Counter[str] = field(default_factory=Counter)
    failures: list[str] = field(default_factory=list)
    """The first of them, in words."""
    first_new_at: float | None = None
    """When the first answer of the new version had arrived (monotonic)."""
    old_after_new: int = 0

    def fail(self, what: str) -> None:
        self.failed += 1
        if len(self.failures) < 10:
            self.failures.append(what)


class LoopbackOnly(AbstractResolver):
    """Resolves `localhost` and what ends in `.localhost` to 127.0.0.1, and nothing else (RFC 6761)."""

    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_INET,
    ) -> list[ResolveResult]:
        refuse_foreign(host)
        return [ResolveResult(
            hostname=host, host="127.0.0.1", port=port, family=socket.AF_INET, proto=0, flags=socket.AI_NUMERICHOST,
        )]

    async def close(self) -> None:
        return None


def refuse_foreign(host: str) -> None:
    """Raises:
        ValueError: The host is not this machine.
    """
    name = host.strip("[]").rstrip(".").lower()
    if name == "localhost" or name.endswith(".localhost"):
        return
    try:
        if ipaddress.ip_address(name).is_loopback:
            return
    except ValueError:
        pass
    raise ValueError(f"{host} is not this machine: load is made for *.localhost names and loopback addresses only")


class Load:
    """Requests at a fixed rate until `stop`; see `counted`.

    Args:
        old: Version that is live before; an answer of it to a request that began after the first answer of another
            version had arrived is a failure.
        one_at_a_time: Wait for each answer before the next request, for applications that bear no two at once.
    """

    def __init__(
        self, base: str, asks: Sequence[Ask] = SHOP, *, rate: float = 20.0, old: str | None = None,
        one_at_a_time: bool = False,
    ) -> None:
        parts = urlsplit(base)
        refuse_foreign(parts.hostname or "")
        self._base = f"{parts.scheme}://{parts.netloc}"
        self._asks = asks
        self._rate = rate
        self._old = old
        self._one_at_a_time = one_at_a_time
        self._stop = asyncio.Event()
        self._answered = 0
        self.counted = Counted()

    async def run(self) -> Counted:
        """Returns when `stop` was called and every request has its end."""
        # Half of the requests come over connections that stay open, half over new ones: both kinds must survive.
        kept = aiohttp.TCPConnector(resolver=LoopbackOnly(), limit=0, keepalive_timeout=30)
        fresh = aiohttp.TCPConnector(resolver=LoopbackOnly(), limit=0, force_close=True)
        limit = aiohttp.ClientTimeout(total=LIMIT_SECONDS)
        async with (
            aiohttp.ClientSession(connector=kept, timeout=limit) as keeping,
            aiohttp.ClientSession(connector=fresh, timeout=limit) as renewing,
            asyncio.TaskGroup() as group,
        ):
            # aiohttp quietly repeats a GET whose connection was closed under it; here that is a failure to be seen.
            keeping._retry_connection = renewing._retry_connection = False
            began = time.monotonic()
            for number in itertools.count():
                delay = began + number / self._rate - time.monotonic()
                if await self._stopped_within(delay):
                    break
                ask = self._asks[number % len(self._asks)]
                session = keeping if (number // len(self._asks)) % 2 == 0 else renewing
                self.counted.requests += 1
                if self.counted.requests - self._answered > MOST_AT_ONCE:
                    self._answered += 1
                    self.counted.fail(f"more than {MOST_AT_ONCE} requests without an answer")
                    continue
                asking = group.create_task(self._ask(session, ask), name=f"request {number}")
                if self._one_at_a_time:
                    await asyncio.wait({asking})
        return self.counted

    def stop(self) -> None:
        """No more requests; those under way are waited for."""
        self._stop.set()

    async def _stopped_within(self, seconds: float) -> bool:
        if seconds > 0:
            try:
                async with asyncio.timeout(seconds):
                    await self._stop.wait()
            except TimeoutError:
                pass
        return self._stop.is_set()

    async def _ask(self, session: aiohttp.ClientSession, ask: Ask) -> None:
        counted = self.counted
        began = time.monotonic()
        name = f"{ask.method} {ask.path}"
        try:
            async with session.request(
                ask.method, self._base + ask.path, data=dict(ask.form) or None, allow_redirects=False,
            ) as answer:
                body = await answer.read()
                arrived = time.monotonic()
                counted.statuses[str(answer.status)] += 1
                self._judge(name, ask, answer, body, began, arrived)
        except (aiohttp.ClientError, TimeoutError, OSError) as error:
            arrived = time.monotonic()
            counted.statuses[type(error).__name__] += 1
            counted.fail(f"{name}: {type(error).__name__} after {arrived - began:.2f} s: {error}")
        if arrived - began > counted.longest_wait:
            counted.longest_wait, counted.longest_was = arrived - began, name
        self._answered += 1

    def _judge(
        self, name: str, ask: Ask, answer: aiohttp.ClientResponse, body: bytes, began: float, arrived: float,
    ) -> None:
        counted = self.counted
        if answer.status != ask.status:
            text = body[:200].decode(errors="replace").strip().replace("\n", " ")
            counted.fail(f"{name}: status {answer.status} instead of {ask.status}: {text}")
            return
        version = answer.headers.get(VERSION_HEADER)
        if version is None:
            return
        counted.versions[version] += 1
        if self._old is None:
            return
        if version != self._old:
            counted.first_new_at = min(arrived, counted.first_new_at or arrived)
        elif counted.first_new_at is not None and began > counted.first_new_at:
            counted.old_after_new += 1
            counted.fail(f"{name}: answered by version {version} after the new version had answered")


async def main(arguments: Sequence[str]) -> int:
    parser = argparse.ArgumentParser(prog="load", description="Requests at a fixed rate, to this machine only.")
    parser.add_argument("url")
    parser.add_argument("--seconds", type=float, default=10)
    parser.add_argument("--rate", type=float, default=20)
    parser.add_argument("--shop", action="store_true", help="the sample shop's mix of pages, data and orders")
    given = parser.parse_args(arguments)
    try:
        one = Ask("GET", urlsplit(given.url).path or "/")
        load = Load(given.url, SHOP if given.shop else (one,), rate=given.rate)
    except ValueError as error:
        parser.error(str(error))
    async with asyncio.TaskGroup() as group:
        running = group.create_task(load.run(), name="load")
        await asyncio.sleep(given.seconds)
        load.stop()
    print_counted(running.result())
    return 1 if running.result().failed else 0


def print_counted(counted: Counted, prefix: str = "load: ") -> None:
    """What was seen, for people."""
    for title, found in (("statuses", counted.statuses), ("versions", counted.versions)):
        if found:
            print(f"{prefix}{title}: {', '.join(f'{name} × {count}' for name, count in sorted(found.items()))}")
    if counted.longest_was:
        print(f"{prefix}the longest wait was {counted.longest_wait:.2f} s ({counted.longest_was})")
    for failure in counted.failures:
        print(f"{prefix}failed: {failure}")


if __name__ == "__main__":
    sys.exit(asyncio.run(main(sys.argv[1:])))
