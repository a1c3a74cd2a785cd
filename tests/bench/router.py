"""Requests a second through the router, plain nginx and Caddy, before the same backend, measured in turn by wrk."""

from __future__ import annotations

import re
from collections.abc import Callable

from deployd.process import run
from tests.bench.peers import backends, caddy, plain_nginx
from tests.support.outcome import Outcome, median
from tests.support.router_stand import Target, route, routes, running_router

ROUNDS, SECONDS, CONNECTIONS, THREADS = 5, 3, 64, 2
HOST = "bench.localhost"
OF_NGINX, OF_CADDY = 0.85, 3.0
RATE = re.compile(r"Requests/sec:\s+([0-9.]+)")
BAD = re.compile(r"(Socket errors:.*|Non-2xx.*)")


async def measure(say: Callable[[str], None]) -> Outcome:
    with running_router() as stand:
        async with stand.router() as router, backends("1") as ports, plain_nginx(ports["1"]) as nginx, \
                caddy(ports["1"]) as peer:
            await router.switch(routes("bench/main", "1", route(HOST, Target("127.0.0.1", ports["1"]))))
            await router.complete()
            doors = {"deployd": stand.port, "nginx": nginx, "caddy": peer}
            for port in doors.values():
                await _leads_to_the_backend(port)
                await requests_per_second(port, seconds=1)
            found: dict[str, list[float]] = {name: [] for name in doors}
            for number in range(ROUNDS):
                for name, port in doors.items():     # in turn, so that a busy moment of the machine hits all of them
                    found[name].append(await requests_per_second(port, SECONDS))
                say(f"round {number + 1}: " + ", ".join(f"{name} {rates[-1]:,.0f}/s" for name, rates in found.items()))
    ours, nginx_rate, caddy_rate = (median(found[name], 0) for name in ("deployd", "nginx", "caddy"))
    # Of each round, and then the median: the machine's speed changes from round to round.
    ratio = median([mine / other for mine, other in zip(found["deployd"], found["nginx"], strict=True)])
    to_caddy = median([mine / other for mine, other in zip(found["deployd"], found["caddy"], strict=True)], 2)
    return Outcome(
        "router",
        {"requests_per_second": ours, "of_nginx": ratio, "of_caddy": to_caddy},
        {"requests_per_second": nginx_rate, "caddy_requests_per_second": caddy_rate},
        ratio, f"at least {OF_NGINX} of plain nginx and {OF_CADDY:.0f} times Caddy",
        ratio >= OF_NGINX and to_caddy >= OF_CADDY,
        (f"median of {ROUNDS} rounds of {SECONDS} s, {CONNECTIONS} connections, answers of 1 KiB",),
    )


async def _leads_to_the_backend(port: int) -> None:
    """A door that answers by itself would look very fast."""
    answer = await run("curl", "--silent", "--include", "--header", f"Host: {HOST}", f"http://127.0.0.1:{port}/")
    assert "x-version: 1" in answer.text.lower(), answer.text[:300]
    assert answer.text.endswith("x" * 1024), answer.text[-50:]


async def requests_per_second(port: int, seconds: int) -> float:
    output = await run(
        "wrk", f"-t{THREADS}", f"-c{CONNECTIONS}", f"-d{seconds}s", "-H", f"Host: {HOST}", f"http://127.0.0.1:{port}/",
        limit_seconds=seconds + 30,
    )
    if bad := BAD.search(output.text):
        raise AssertionError(f"wrk on port {port}: {bad[0]}")
    match = RATE.search(output.text)
    assert match, output.text
    return float(match[1])
