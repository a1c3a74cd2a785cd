"""A new image of the router, under load: how many requests fail. Beside it plain nginx whose container is restarted, as
a new image comes elsewhere."""

from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass

from deployd.process import run
from tests.bench.peers import LABEL, backends, plain_nginx, wait_until_open
from tests.support.outcome import Outcome
from tests.support.router_stand import Target, route, routes
from tests.support.router_upgrades import open_upgrades

HOST, ENVIRONMENT = "bench.localhost", "bench/main"
SECONDS, UPGRADES, CONNECTIONS, THREADS = 20, 4, 64, 2
REQUESTS = re.compile(r"(\d+) requests in")
SOCKETS = re.compile(r"Socket errors: connect (\d+), read (\d+), write (\d+), timeout (\d+)")
STATUSES = re.compile(r"Non-2xx or 3xx responses: (\d+)")
SLOWEST = re.compile(r"Latency\s+\S+\s+\S+\s+([0-9.]+)(us|ms|s)\b")
SCALE = {"us": 1e-6, "ms": 1e-3, "s": 1.0}


@dataclass(frozen=True, slots=True)
class Load:
    requests: int
    failed: int
    slowest_seconds: float


async def measure(say: Callable[[str], None]) -> Outcome:
    async with backends("1") as ports:
        async with open_upgrades() as upgrades:
            await upgrades.router.switch(routes(ENVIRONMENT, "1", route(HOST, Target("127.0.0.1", ports["1"]))))

            async def upgrade() -> None:
                await upgrades.upgrade()
                await upgrades.let_end()

            ours = await _under_load(upgrades.stand.port, upgrade)
        say(f"deployd: {ours.requests:,} requests, {ours.failed} failed")
        async with plain_nginx(ports["1"]) as port, _replaced(port) as replace:
            peer = await _under_load(port, replace)
        say(f"a container that is replaced: {peer.requests:,} requests, {peer.failed:,} failed")
    return Outcome(
        "upgrade",
        {"upgrades": UPGRADES, "requests": ours.requests, "failed": ours.failed,
         "slowest_seconds": round(ours.slowest_seconds, 3)},
        {"upgrades": UPGRADES, "requests": peer.requests, "failed": peer.failed,
         "slowest_seconds": round(peer.slowest_seconds, 3)},
        None, "no request fails", ours.failed == 0,
        (f"wrk, {SECONDS} s, {CONNECTIONS} connections that are kept; peer: docker restart of plain nginx",),
    )


async def _under_load(port: int, act: Callable[[], Awaitable[None]]) -> Load:
    """wrk, while something is done again and again."""
    async with asyncio.TaskGroup() as group:
        load = group.create_task(_wrk(port))
        for _ in range(UPGRADES):
            await asyncio.sleep(1)
            await act()
    return load.result()


@asynccontextmanager
async def _replaced(port: int) -> AsyncIterator[Callable[[], Awaitable[None]]]:
    names = await run("docker", "ps", "--filter", f"label={LABEL}", "--format", "{{.Names}}")
    newest = names.text.split()[0]

    async def restart() -> None:
        await run("docker", "restart", "--time", "5", newest)
        await wait_until_open(port)

    yield restart


async def _wrk(port: int) -> Load:
    output = await run(
        "wrk", f"-t{THREADS}", f"-c{CONNECTIONS}", f"-d{SECONDS}s", "--latency", "-H", f"Host: {HOST}",
        f"http://127.0.0.1:{port}/", limit_seconds=SECONDS + 30,
    )
    sockets, statuses, slowest = (found.search(output.text) for found in (SOCKETS, STATUSES, SLOWEST))
    requests = REQUESTS.search(output.text)
    assert requests, output.text
    assert slowest, output.text
    failed = sum(map(int, sockets.groups())) if sockets else 0
    return Load(
        int(requests[1]), failed + (int(statuses[1]) if statuses else 0), float(slowest[1]) * SCALE[slowest[2]],
    )
