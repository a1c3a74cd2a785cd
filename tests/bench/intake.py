"""Push webhooks a second: proved, parsed and on the disk before they are answered. Beside Debian's `webhook`, which
proves and parses the same deliveries, answers, and starts /bin/true for each when it comes to it.

A delivery counts when it is dealt with. Here that is its answer; `webhook` goes on for seconds after its last answer
with the commands that it owes, and would lose these if it were ended then.
"""

from __future__ import annotations

import asyncio
import json
import re
import tempfile
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

from deployd.process import open_process, run
from scripts.local_daemon import free_port
from tests.bench.peers import wait_until_open
from tests.bench.stand import bench_stand
from tests.support.forge_deliveries import github, github_push
from tests.support.outcome import Outcome, median

ROUNDS, SECONDS, CONNECTIONS, THREADS = 3, 5, 64, 2
RATE, P99 = 1.5, 1 / 3
PROJECT, SECRET = "hooked", "the-secret-of-the-benchmark"
BODIES = 200
IDLE_SECONDS = 120.0
RATE_OF_WRK = re.compile(r"Requests/sec:\s+([0-9.]+)")
P99_OF_WRK = re.compile(r"99%\s+([0-9.]+)(us|ms|s)\b")
BAD = re.compile(r"(Socket errors:.*|Non-2xx.*)")
SCALE = {"us": 1e-6, "ms": 1e-3, "s": 1.0}
HOOKS = [{
    "id": PROJECT, "execute-command": "/bin/true",
    "trigger-rule": {"match": {
        "type": "payload-hmac-sha256", "secret": SECRET,
        "parameter": {"source": "header", "name": "X-Hub-Signature-256"},
    }},
}]


@dataclass(frozen=True, slots=True)
class Load:
    """What a round of wrk found."""

    answered: float
    """Answers a second."""
    p99: float
    """Seconds."""
    rest_seconds: float
    """From the last answer until everything was dealt with."""

    @property
    def rate(self) -> float:
        return self.answered * SECONDS / (SECONDS + self.rest_seconds)


@dataclass(frozen=True, slots=True)
class Door:
    port: int
    path: str
    pid: int


async def measure(say: Callable[[str], None]) -> Outcome:
    found: dict[str, list[Load]] = {"deployd": [], "webhook": []}
    with tempfile.TemporaryDirectory(prefix="deployd-bench-") as name:
        async with _silence() as forge, _webhook(Path(name)) as peer:
            remote = {"url": f"http://127.0.0.1:{forge}/hooked.git", "forge": "github", "webhook_secrets": [SECRET]}
            async with bench_stand(projects={PROJECT: {"remote": remote}}) as stand:
                ours = Door(stand.daemon.api_port, f"/hooks/github/{PROJECT}", stand.daemon.running() or 0)
                for number in range(ROUNDS):
                    for who, door in (("deployd", ours), ("webhook", peer)):
                        script = Path(name) / f"{who}-{number}.lua"
                        script.write_text(_script(door, f"{who}-{number}"))
                        answered, p99 = await _wrk(script, door.port)
                        found[who].append(Load(answered, p99, await _seconds_until_idle(door.pid)))
                    say(f"round {number + 1}: " + ", ".join(
                        f"{who} {loads[-1].rate:,.0f}/s, p99 {loads[-1].p99 * 1000:.0f} ms"
                        for who, loads in found.items()))
    rates = {who: [load.rate for load in loads] for who, loads in found.items()}
    answered = {who: median([load.answered for load in loads], 0) for who, loads in found.items()}
    p99s = {who: [load.p99 for load in loads] for who, loads in found.items()}
    ratio = median([mine / other for mine, other in zip(rates["deployd"], rates["webhook"], strict=True)], 2)
    waiting = median([mine / other for mine, other in zip(p99s["deployd"], p99s["webhook"], strict=True)], 2)
    return Outcome(
        "intake",
        {"webhooks_per_second": median(rates["deployd"], 0), "p99_seconds": median(p99s["deployd"]),
         "answered_per_second": answered["deployd"], "p99_to_peer": waiting},
        {"webhooks_per_second": median(rates["webhook"], 0), "p99_seconds": median(p99s["webhook"]),
         "answered_per_second": answered["webhook"]},
        ratio, f"at least {RATE} times its rate, p99 at most a third of its", ratio >= RATE and waiting <= P99,
        (f"median of {ROUNDS} rounds of {SECONDS} s, {CONNECTIONS} connections; wrk runs on the same cores",
         "webhooks per second: until all of them are dealt with; `webhook` starts its commands after it has answered",
         "every delivery is another one; deployd is the whole daemon, with a forge that does not answer behind it"),
    )


def _script(door: Door, run_id: str) -> str:
    """For wrk: pushes as GitHub sends them, each with an id of its own."""
    rests = []
    for number in range(BODIES):
        payload = github_push(after=f"{number + 1:040x}")
        payload["commits"] = [
            {"id": f"{item:040x}", "message": "A change of some words, as people write them", "author": {"name": "Ada"},
             "added": [], "modified": [f"src/module_{item}/file_{number}.py"], "removed": []} for item in range(12)
        ]
        delivery = github(payload, secret=SECRET).with_headers(X_GitHub_Delivery=None)
        heads = "".join(f"{name}: {value}\r\n" for name, value in delivery.headers.items())
        rests.append(f"{heads}Content-Length: {len(delivery.body)}\r\n\r\n{delivery.body.decode()}")
    texts = ",\n".join(f"[====[{rest}]====]".replace("\r\n", "\\r\\n") for rest in rests)
    return f"""\
local rests = {{ {texts} }}
for i = 1, #rests do rests[i] = string.gsub(rests[i], "\\\\r\\\\n", "\\r\\n") end
local threads = 0
function setup(thread) threads = threads + 1; thread:set("number", threads) end
local count = 0
function request()
    count = count + 1
    return "POST {door.path} HTTP/1.1\\r\\nHost: 127.0.0.1:{door.port}\\r\\nX-GitHub-Delivery: {run_id}-"
        .. number .. "-" .. count .. "\\r\\n" .. rests[count % #rests + 1]
end
"""


async def _wrk(script: Path, port: int) -> tuple[float, float]:
    """(requests a second, p99 in seconds)"""
    output = await run(
        "wrk", f"-t{THREADS}", f"-c{CONNECTIONS}", f"-d{SECONDS}s", "--timeout", "30s", "--latency", "-s", str(script),
        f"http://127.0.0.1:{port}/", limit_seconds=SECONDS + 30,
    )
    if bad := BAD.search(output.text):
        raise AssertionError(f"wrk on port {port}: {bad[0]}")
    rate, p99 = RATE_OF_WRK.search(output.text), P99_OF_WRK.search(output.text)
    assert rate, output.text
    assert p99, output.text
    return float(rate[1]), float(p99[1]) * SCALE[p99[2]]


async def _seconds_until_idle(pid: int) -> float:
    """Wait until a program, with its children, uses no processor any more. Gives how long that took."""
    def ticks() -> int:
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
        return sum(map(int, fields[11:15]))   # its own and its children's, in user and kernel mode

    began = time.monotonic()
    while time.monotonic() - began < IDLE_SECONDS:
        now, before = time.monotonic(), ticks()
        await asyncio.sleep(0.3)
        if ticks() - before <= 1:
            return now - began
    raise AssertionError(f"the process {pid} is still busy after {IDLE_SECONDS:.0f} s")


@asynccontextmanager
async def _webhook(folder: Path) -> AsyncIterator[Door]:
    """Debian's `webhook` with one hook."""
    port = free_port()
    (folder / "hooks.json").write_text(json.dumps(HOOKS))
    async with open_process(
        "webhook", "-hooks", str(folder / "hooks.json"), "-ip", "127.0.0.1", "-port", str(port),
    ) as process, asyncio.TaskGroup() as group:
        readers = [group.create_task(_drain(stream)) for stream in (process.stdout, process.stderr)]
        await wait_until_open(port)
        yield Door(port, f"/hooks/{PROJECT}", process.pid)
        for reader in readers:
            reader.cancel()


@asynccontextmanager
async def _silence() -> AsyncIterator[int]:
    """A forge that takes connections and says nothing: the first push waits for it, the others wait for the first."""
    async def listen(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while await reader.read(65_536):
                pass
        finally:
            writer.close()

    server = await asyncio.start_server(listen, "127.0.0.1", 0)
    async with server:
        yield int(server.sockets[0].getsockname()[1])


async def _drain(stream: asyncio.StreamReader) -> None:
    while await stream.read(65_536):
        pass
