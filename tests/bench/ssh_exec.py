"""A command in an environment over SSH, beside `docker exec` in the same container: its start, and much input."""

from __future__ import annotations

import asyncio
import os
import time
from collections.abc import Callable

from deployd.process import run
from scripts.local_daemon import free_port
from scripts.repository import make_repository
from tests.bench.stand import HERE, Stand, bench_stand
from tests.support.intake_stand import developer_environment
from tests.support.outcome import Outcome, median
from tests.support.ssh_stand import make_key

ROUNDS, ROUNDS_OF_INPUT = 25, 3
INPUT_MB = 200
RATIO = 1.5
PROJECT = "shop"


async def measure(say: Callable[[str], None]) -> Outcome:
    port = free_port()
    async with bench_stand(PROJECT, settings={"ssh": {"listen": f"127.0.0.1:{port}"}}) as stand:
        stand.daemon.ssh_port = port
        ssh, container = await _live(stand)
        docker = ["docker", "exec", "-i", container]
        begun: dict[str, list[float]] = {"ssh": [], "docker": []}
        for number in range(ROUNDS):
            for name, argv in (("ssh", ssh), ("docker", docker))[::1 if number % 2 else -1]:
                begun[name].append(await _took([*argv, "true"]))
            say(f"round {number + 1}: " + ", ".join(f"{name} {all_[-1] * 1000:.0f} ms" for name, all_ in begun.items()))
        data = os.urandom(INPUT_MB * 1_000_000)
        poured: dict[str, list[float]] = {"ssh": [], "docker": []}
        for _ in range(ROUNDS_OF_INPUT):
            for name, argv in (("ssh", ssh), ("docker", docker)):
                poured[name].append(INPUT_MB / await _took([*argv, "wc", "-c"], data))
            say("input: " + ", ".join(f"{name} {all_[-1]:.0f} MB/s" for name, all_ in poured.items()))
    ratio = median([mine / other for mine, other in zip(begun["ssh"], begun["docker"], strict=True)], 2)
    return Outcome(
        "ssh-exec",
        {"true_ms": median([took * 1000 for took in begun["ssh"]]), "input_mb_per_second": median(poured["ssh"])},
        {"true_ms": median([took * 1000 for took in begun["docker"]]), "input_mb_per_second": median(poured["docker"])},
        ratio, f"`ssh … true` takes at most {RATIO} times as long as `docker exec … true`", ratio <= RATIO,
        (f"median of {ROUNDS} rounds, each with a connection and a key exchange of its own; both clients start anew",
         "ours looks up the key and the environment, reads `.environment` and notes who came in"),
    )


async def _live(stand: Stand) -> tuple[list[str], str]:
    """(ssh to an environment that is live, the name of its container)"""
    daemon, key = stand.daemon, make_key(stand.folder / "key")
    tree = stand.folder / "tree"
    await make_repository(tree, HERE / "small")
    assert (await daemon.push(tree, PROJECT, on_line=lambda _: None)).deployed
    async with daemon.session() as session:
        body = {"key": key.with_suffix(".pub").read_text(), "label": "key"}
        person = {"id": "ada", "roles": {"*": "admin"}}
        for path, what in (("/api/v1/people", person), ("/api/v1/people/ada/keys", body)):
            async with session.post(path, json=what) as answer:
                assert answer.status == 201, await answer.text()
    names = (await run("docker", "ps", "--format", "{{.Names}}")).text.split()
    container = next(name for name in names if name.startswith(f"{daemon.instance}-{PROJECT}-main") and "-app-" in name)
    ssh = ["ssh", "-F", "none", "-q", "-p", str(daemon.ssh_port), "-i", str(key), "-o", "IdentitiesOnly=yes",
           "-o", "StrictHostKeyChecking=no", "-o", "UserKnownHostsFile=/dev/null", f"main.{PROJECT}@127.0.0.1"]
    await _until_it_answers(ssh)
    return ssh, container


async def _until_it_answers(ssh: list[str]) -> None:
    async with asyncio.timeout(30):
        while (await run(*ssh, "true", check=False, env=developer_environment())).status != 0:
            await asyncio.sleep(0.2)


async def _took(argv: list[str], stdin: bytes | None = None) -> float:
    began = time.perf_counter()
    await run(*argv, stdin=stdin, env=developer_environment() | {"PATH": os.environ["PATH"]}, limit_seconds=300)
    return time.perf_counter() - began


