"""What ends a deployment from outside: a cancel, a newer push, a deleted branch, a daemon that is killed."""

from __future__ import annotations

import asyncio
import os
import signal
from collections.abc import Callable, Coroutine
from typing import Any

import pytest

from deployd.environment.naming import machine_name
from deployd.process import run
from scripts.git_push import Pushed
from tests.support.developer import APP, Developer, MakeDeveloper

SLOW_HOOK = APP + """\
mounts:
  data:
    source: local
    source_path: data
hooks:
  deploy: |
    echo begun >> data/runs
    sleep {seconds}
    echo ended >> data/runs
"""
HOOK_RUNS = "deploy hook runs"
END_SECONDS = 60.0


@pytest.fixture
async def me(developer: MakeDeveloper) -> Developer:
    """A developer whose first version is live, with nothing in its mount."""
    made = await developer("lanes", files={".platform.app.yaml": SLOW_HOOK.format(seconds=0)})
    pushed = await made.push()
    assert await made.page() == (200, "first on main"), pushed.lines
    await _execute(made, "rm", "-f", "/app/data/runs")
    return made


async def test_a_cancel_in_the_deploy_hook_ends_the_hook_and_brings_back_what_was(me: Developer) -> None:
    await me.write({"text": "never", ".platform.app.yaml": SLOW_HOOK.format(seconds=300)})
    pushed = await _push_until(me, HOOK_RUNS, lambda: _cancel_newest(me))
    text = "\n".join(pushed.lines)
    assert "cancelled by local" in text
    assert "visitors: on the earlier version again" in text
    assert await me.page() == (200, "first on main")
    assert (await _activities(me))[0]["state"] == "cancelled"
    assert await _execute(me, "cat", "/app/data/runs") == "begun"
    assert len(await _containers(me)) == 1


async def test_a_daemon_killed_in_the_deploy_hook_goes_on_and_runs_it_once(me: Developer) -> None:
    await me.write({"text": "second", ".platform.app.yaml": SLOW_HOOK.format(seconds=4)})

    async def die() -> None:
        pid = me.daemon.running()
        assert pid is not None
        os.kill(pid, signal.SIGKILL)
        await asyncio.sleep(0.5)
        await me.daemon.start()

    await _push_until(me, HOOK_RUNS, die)
    assert await _end_of_newest(me) == "success"
    assert await _execute(me, "cat", "/app/data/runs") == "begun\nended"
    assert await me.page() == (200, "second on main")
    assert len(await _containers(me)) == 1


async def test_a_redeploy_that_waits_for_a_push_deploys_what_that_push_made_live(me: Developer) -> None:
    await me.write({"text": "second", ".platform.app.yaml": SLOW_HOOK.format(seconds=3)})

    async def redeploy() -> None:
        async with me.daemon.session() as session, session.post(
            f"/api/v1/projects/{me.project}/environments/main/redeploy",
        ) as answer:
            assert answer.status == 202

    pushed = await _push_until(me, HOOK_RUNS, redeploy)
    assert pushed.deployed
    assert await _end_of_newest(me) == "success"
    assert [item["kind"] for item in (await _activities(me))[:2]] == ["redeploy", "push"]
    assert await me.page() == (200, "second on main")


async def test_a_cancel_that_was_promised_outlives_the_daemon(me: Developer) -> None:
    await me.write({"text": "never", ".platform.app.yaml": SLOW_HOOK.format(seconds=300)})

    async def cancel_and_die() -> None:
        await _cancel_newest(me)
        pid = me.daemon.running()
        assert pid is not None
        os.kill(pid, signal.SIGKILL)
        await asyncio.sleep(0.2)
        await me.daemon.start()

    await _push_until(me, HOOK_RUNS, cancel_and_die)
    assert await _end_of_newest(me) == "cancelled"
    assert await me.page() == (200, "first on main")
    assert len(await _containers(me)) == 1


async def test_who_pushed_what_a_newer_push_superseded_is_told_and_let_go(me: Developer) -> None:
    await me.write({"text": "second", ".platform.app.yaml": SLOW_HOOK.format(seconds=5)})
    later: list[asyncio.Task[Pushed]] = []
    async with asyncio.TaskGroup() as group:
        async def push_twice_more() -> None:
            for text in ("third", "fourth"):
                await me.write({"text": text, ".platform.app.yaml": SLOW_HOOK.format(seconds=0)})
                later.append(group.create_task(me.push()))
                await asyncio.sleep(1)

        await _push_until(me, HOOK_RUNS, push_twice_more)
    third, fourth = ["\n".join(push.result().lines) for push in later]
    assert "superseded: a newer push came" in third
    assert "done in" in fourth
    assert await me.page() == (200, "fourth on main")


async def test_a_branch_that_was_deleted_and_pushed_again_at_once_is_a_new_environment(me: Developer) -> None:
    await me.push("side")
    assert (await me.push("side", delete=True, options=("no-wait",))).status == 0
    pushed = await me.push("side")
    assert pushed.status == 0
    assert await me.page("side") == (200, "first on side"), pushed.lines
    assert "side" in [item["branch"] for item in await _items(me, "/api/v1/environments?project=lanes")
                      if item["activity"]]


async def _push_until(me: Developer, seen: str, then: Callable[[], Coroutine[Any, Any, None]]) -> Pushed:
    """Push, and do something when a line is seen."""
    line = asyncio.Event()

    def look(text: str) -> None:
        if seen in text:
            line.set()

    async with asyncio.TaskGroup() as group:
        pushing = group.create_task(me.daemon.push(me.folder, me.project, on_line=look, force=True, limit_seconds=120))
        async with asyncio.timeout(END_SECONDS):
            await line.wait()
        await then()
    return pushing.result()


async def _items(me: Developer, path: str) -> list[dict[str, Any]]:
    async with me.daemon.session() as session, session.get(path) as answer:
        items: list[dict[str, Any]] = (await answer.json())["items"]
        return items


async def _activities(me: Developer) -> list[dict[str, Any]]:
    return await _items(me, f"/api/v1/activities?project={me.project}")


async def _cancel_newest(me: Developer) -> None:
    number = (await _activities(me))[0]["id"]
    async with me.daemon.session() as session, session.post(f"/api/v1/activities/{number}/cancel") as answer:
        assert answer.status in (200, 202), await answer.text()


async def _end_of_newest(me: Developer) -> str:
    async with asyncio.timeout(END_SECONDS):
        while (newest := (await _activities(me))[0])["state"] in ("pending", "in_progress"):
            await asyncio.sleep(0.2)
    return str(newest["state"])


async def _containers(me: Developer) -> list[str]:
    found = await run(
        "docker", "ps", "-a", "--format", "{{.Names}}", "--filter", f"label=deployd={me.daemon.instance}",
        "--filter", f"label=deployd.project={me.project}", "--filter", "label=deployd.role=app",
        "--filter", f"label=deployd.environment={machine_name('main')}",
    )
    return found.text.splitlines()


async def _execute(me: Developer, *argv: str) -> str:
    return (await run("docker", "exec", (await _containers(me))[0], *argv)).text.strip()
