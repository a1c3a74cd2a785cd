"""nginx killed while visitors are held: held requests go down with their connections, and nothing else is lost.

Nobody can answer on a connection whose process is gone. What can be done: Docker or the daemon starts the router at
once, it holds again for the rest of the freeze, and nobody is let through to the earlier version meanwhile.
"""

from __future__ import annotations

import asyncio
import os
import signal
import time

import pytest

from deployd.process import run
from tests.support.developer import Developer
from tests.support.waiting_hooks import Records, Seen, crowd, held, page_with, pass_of, until


@pytest.mark.parametrize("how", ["docker kill", "the process", "without the daemon"])
async def test_a_router_that_dies_in_a_freeze_holds_again_and_lets_nobody_through(me: Developer, how: str) -> None:
    router, records = f"{me.daemon.instance}-router", Records(me.daemon)
    await me.write({"text": "1", "waits": ""})
    assert (await me.push(options=("no-wait",))).status == 0
    activity = records.newest("shop")[0]
    await records.entry(activity, "run_deploy_hook", "started")
    async with crowd(me) as seen:
        await asyncio.sleep(0.5)
        assert seen == [], "everybody is held"
        operator = await pass_of(me)
        if how == "without the daemon":
            await me.daemon.stop()
        killed = time.time()
        if how == "docker kill":
            await run("docker", "kill", router)
        else:
            os.kill(int((await run("docker", "inspect", "-f", "{{.State.Pid}}", router)).text), signal.SIGKILL)
        if how == "without the daemon":
            await asyncio.sleep(2)
            await me.daemon.start()
        await until(lambda: held(me), "visitors are held again")
        print(f"{how}: held again {time.time() - killed:.2f} s after the kill")
        assert await page_with(me, operator) == "1 on main", "who has a pass sees the new version again"
        await asyncio.sleep(1)
        assert {answer.body for answer in seen if answer.status == 200} == set(), "let through in the freeze"
        (next(me.daemon.directory.glob("var/state/environments/shop/*/volumes/app/data")) / "go-1").touch()
        assert await records.end(activity) == ("success", "")
        switched = time.time()
        await until(lambda: answered(seen, switched), "visitors are answered")
    told(seen, killed)
    assert {answer.body for answer in seen if answer.status == 200} == {"1 on main"}
    assert {answer.status for answer in seen} <= {0, 200, 503}, "no 404, no 502"


async def answered(seen: list[Seen], since: float) -> bool:
    return any(answer.status == 200 and answer.sent > since for answer in seen)


def told(seen: list[Seen], killed: float) -> None:
    refused = [answer for answer in seen if answer.status == 0]
    pages = [answer for answer in seen if answer.status == 503]
    lost = [answer for answer in refused if answer.sent < killed]
    last = max((answer.received for answer in refused), default=killed) - killed
    print(f"held and lost {len(lost)}, refused {len(refused) - len(lost)} until {last:.2f} s, pages {len(pages)}: "
          f"{sorted({answer.body[:60] for answer in pages})}")
