"""5,000 clients held through a switch: how many are lost or answered by the old version, what each costs, how long the
release takes. The clients are of this program, so the time to drain has their own slowness in it."""

from __future__ import annotations

import asyncio
import time
from collections import Counter
from collections.abc import Callable, Sequence
from pathlib import Path

from tests.bench.peers import backends
from tests.support.memory import pss_kb, workers
from tests.support.outcome import Outcome
from tests.support.router_stand import Target, route, routes, running_router, wait_until_held

HOST, ENVIRONMENT = "bench.localhost", "bench/main"
AT_ONCE = 2_500
KILOBYTES_EACH = 16.0
OLD, NEW = "old", "new"
TICKS = 100   # of processor time, in a second: proc(5)


async def measure(say: Callable[[str], None]) -> Outcome:
    return await hold("freeze", 5_000, 0.0, say, freeze_seconds=60, drain_seconds=1.5)


async def hold(
    name: str, clients: int, seconds: float, say: Callable[[str], None], *, freeze_seconds: float, drain_seconds: float,
) -> Outcome:
    """Hold so many clients, and release them to the new version.

    Args:
        seconds: When the switch comes, counted from the freeze; at once when all are held by then.
        freeze_seconds: The end of the freeze, if nothing were switched.
        drain_seconds: What the release may take.
    """
    with running_router(freeze_seconds=int(freeze_seconds)) as stand:
        async with stand.router() as router, backends(OLD, NEW) as ports:
            await router.switch(routes(ENVIRONMENT, "1", route(HOST, Target("127.0.0.1", ports[OLD]))))
            await router.complete()
            await asyncio.sleep(0.5)
            pids = await workers(stand.name)
            before, open_before = pss_kb(pids), descriptors(pids)
            frozen = time.perf_counter()
            await router.freeze(ENVIRONMENT, freeze_seconds)
            async with asyncio.TaskGroup() as group:
                waiting: list[asyncio.Task[str]] = []
                for come in range(AT_ONCE, clients + 1, AT_ONCE):   # the clients' own program answers meanwhile, too
                    waiting += [group.create_task(_client(stand.port, freeze_seconds + 30)) for _ in range(AT_ONCE)]
                    await wait_until_held(router, ENVIRONMENT, come, limit_seconds=50)
                held, opened = pss_kb(pids), descriptors(pids)
                say(f"{clients} are held")
                ticks, rest = processor_ticks(pids), max(0.0, seconds - (time.perf_counter() - frozen))
                await asyncio.sleep(rest)
                busy = (processor_ticks(pids) - ticks) / TICKS / rest if rest else 0.0
                later = pss_kb(pids)
                began = time.perf_counter()
                released = await router.switch(
                    routes(ENVIRONMENT, "2", route(HOST, Target("127.0.0.1", ports[NEW]))),
                )
            drained = time.perf_counter() - began
    answers = Counter(task.result() for task in waiting)
    lost = answers.pop("lost", 0)
    wrong = sum(answers.values()) - answers[NEW]
    each = round((max(held, later) - before) / clients, 1)
    figures: dict[str, int | float] = {
        "clients": clients, "released": released.held, "left": released.left, "lost": lost, "wrong": wrong,
        "kilobytes_each": each,
        "descriptors_each": round((opened - open_before) / clients, 2),
        "longest_wait_seconds": round(released.longest_seconds, 1), "drain_seconds": round(drained, 3),
    }
    if seconds:
        figures |= {"cores_while_held": round(busy, 3)}
    return Outcome(
        name, figures, {}, None,
        f"0 lost, 0 wrong, at most {KILOBYTES_EACH:.0f} KB each, at most {drain_seconds} s",
        lost == 0 and wrong == 0 and each <= KILOBYTES_EACH and drained <= drain_seconds,
        ("memory is the proportional set size of all nginx processes; the kernel's socket buffers are not in it",),
    )


async def _client(port: int, patience_seconds: float) -> str:
    """One request on a connection of its own. Gives the version that answered, or `lost`."""
    try:
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        try:
            writer.write(f"GET / HTTP/1.1\r\nHost: {HOST}\r\nConnection: close\r\n\r\n".encode())
            async with asyncio.timeout(patience_seconds):
                answer = await reader.read()
        finally:
            writer.close()
    except (OSError, TimeoutError):
        return "lost"
    head = answer.partition(b"\r\n\r\n")[0].decode()
    if not head.startswith("HTTP/1.1 200"):
        return head.split("\r\n")[0] or "lost"
    return next((line[11:] for line in head.split("\r\n") if line.lower().startswith("x-version: ")), "unnamed")


def descriptors(pids: Sequence[str]) -> int:
    """How many files and sockets they have open."""
    return sum(len(list(Path(f"/proc/{pid}/fd").iterdir())) for pid in pids)


def processor_ticks(pids: Sequence[str]) -> int:
    """Processor time of theirs so far, the kernel's for them included."""
    return sum(
        sum(map(int, Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[11:13])) for pid in pids
    )
