"""A daemon that is killed at random moments of deployments, with visitors all the while. A fixed seed."""

from __future__ import annotations

import asyncio
import os
import random
import signal
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import aiohttp
from yarl import URL

from deployd.environment.naming import machine_name
from deployd.process import run
from scripts.local_daemon import LocalDaemon
from tests.e2e.conftest import APP, Developer, MakeDeveloper

COUNTED = APP + """\
mounts:
  data:
    source: local
    source_path: data
hooks:
  build: sleep 1
  deploy: |
    cat text >> data/runs
    sleep 1
"""
SEED, PUSHES = 4, 4
LONGEST_DEPLOYMENT_SECONDS = 4.5
END_SECONDS = 60.0


async def test_killed_at_random_moments_every_push_goes_live_every_hook_runs_once_and_no_visitor_notices(
    developer: MakeDeveloper,
) -> None:
    chance = random.Random(SEED)
    me = await developer("lanes", files={".platform.app.yaml": COUNTED, "text": "v0\n"})
    await me.push("kills")
    async with visiting(me) as errors:
        for number in range(1, PUSHES + 1):
            await me.write({"text": f"v{number}\n"})
            assert (await me.push("kills", options=("no-wait",))).status == 0
            for _ in range(chance.choice([1, 1, 2, 3])):
                await asyncio.sleep(chance.uniform(0, LONGEST_DEPLOYMENT_SECONDS))
                await kill(me.daemon)
                await me.daemon.start()
            assert await end_of_newest(me) == "success"
            assert await me.page("kills") == (200, f"v{number} on kills")
    assert errors == []
    [app] = await containers(me)
    runs = (await run("docker", "exec", app, "cat", "/app/data/runs")).text.split()
    assert runs == [f"v{number}" for number in range(PUSHES + 1)]


async def kill(daemon: LocalDaemon) -> None:
    pid = daemon.running()
    assert pid is not None
    os.kill(pid, signal.SIGKILL)
    while daemon.running() is not None:
        await asyncio.sleep(0.02)


@asynccontextmanager
async def visiting(me: Developer) -> AsyncIterator[list[Any]]:
    """Ask for the page without a pause; gives what was not 200."""
    errors: list[Any] = []
    url = URL(me.daemon.url(me.project, "kills"))

    async def visit() -> None:
        async with aiohttp.ClientSession() as session:
            while True:
                async with session.get(url.with_host("127.0.0.1"), headers={"Host": url.authority}) as answer:
                    if answer.status != 200:
                        errors.append((answer.status, await answer.text()))
                await asyncio.sleep(0.02)

    async with asyncio.TaskGroup() as group:
        visitor = group.create_task(visit())
        yield errors
        visitor.cancel()


async def end_of_newest(me: Developer) -> str:
    path = f"/api/v1/activities?project={me.project}&environment={machine_name('kills')}&limit=1"
    async with me.daemon.session() as session, asyncio.timeout(END_SECONDS):
        while True:
            async with session.get(path) as answer:
                [newest] = (await answer.json())["items"]
            if newest["state"] not in ("pending", "in_progress"):
                return str(newest["state"])
            await asyncio.sleep(0.1)


async def containers(me: Developer) -> list[str]:
    found = await run(
        "docker", "ps", "-a", "--format", "{{.Names}}", "--filter", f"label=deployd={me.daemon.instance}",
        "--filter", f"label=deployd.environment={machine_name('kills')}", "--filter", "label=deployd.role=app",
    )
    return found.text.splitlines()
