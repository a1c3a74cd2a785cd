"""5,000 clients held through a switch: how many are lost or answered by the old version, what each costs, how long the
release takes. The clients are of this program, so the time to drain has their own slowness in it."""

from __future__ import annotations

import asyncio
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path

from deployd.process import run
from tests.bench.outcome import Outcome
from tests.bench.peers import backends
from tests.integration.router_stand import Target, route, routes, running_router, wait_until_held

CLIENTS = 5000
HOST, ENVIRONMENT = "bench.localhost", "bench/main"
KILOBYTES_EACH, DRAIN_SECONDS = 16.0, 1.5
OLD, NEW = "old", "new"


async def measure(say: Callable[[str], None]) -> Outcome:
    with running_router() as stand:
        async with stand.router() as router, backends(OLD, NEW) as ports:
            await router.switch(routes(ENVIRONMENT, "1", route(HOST, Target("127.0.0.1", ports[OLD]))))
            await router.complete()
            await asyncio.sleep(0.5)
            before = await memory_kb(stand.name)
            await router.freeze(ENVIRONMENT, 60)
            async with asyncio.TaskGroup() as group:
                clients = [group.create_task(_client(stand.port)) for _ in range(CLIENTS)]
                await wait_until_held(router, ENVIRONMENT, CLIENTS, limit_seconds=50)
                held = await memory_kb(stand.name)
                say(f"{CLIENTS} are held")
                began = time.perf_counter()
                released = await router.switch(
                    routes(ENVIRONMENT, "2", route(HOST, Target("127.0.0.1", ports[NEW]))),
                )
            drained = time.perf_counter() - began
    answers = Counter(task.result() for task in clients)
    lost = answers.pop("lost", 0)
    wrong = sum(answers.values()) - answers[NEW]
    each = round((held - before) / CLIENTS, 1)
    return Outcome(
        "freeze",
        {"clients": CLIENTS, "released": released.held, "lost": lost, "wrong": wrong, "kilobytes_each": each,
         "drain_seconds": round(drained, 3)},
        {}, None, f"0 lost, 0 wrong, at most {KILOBYTES_EACH:.0f} KB each, at most {DRAIN_SECONDS} s",
        lost == 0 and wrong == 0 and each <= KILOBYTES_EACH and drained <= DRAIN_SECONDS,
        ("memory is the proportional set size of all nginx processes; the kernel's socket buffers are not in it",),
    )


async def _client(port: int) -> str:
    """One request on a connection of its own. Gives the version that answered, or `lost`."""
    try:
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        try:
            writer.write(f"GET / HTTP/1.1\r\nHost: {HOST}\r\nConnection: close\r\n\r\n".encode())
            async with asyncio.timeout(90):
                answer = await reader.read()
        finally:
            writer.close()
    except (OSError, TimeoutError):
        return "lost"
    head = answer.partition(b"\r\n\r\n")[0].decode()
    if not head.startswith("HTTP/1.1 200"):
        return head.split("\r\n")[0] or "lost"
    return next((line[11:] for line in head.split("\r\n") if line.lower().startswith("x-version: ")), "unnamed")


async def memory_kb(container: str) -> int:
    """Proportional set size of all processes of a container."""
    top = (await run("docker", "top", container, "-o", "pid")).text.split()[1:]
    return sum(
        int(line.split()[1]) for pid in top for line in Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()
        if line.startswith("Pss:")
    )
