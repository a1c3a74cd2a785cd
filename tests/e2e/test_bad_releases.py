"""A release that turns out bad after its switch is told, and the version before comes back by itself. On the daemon."""

from __future__ import annotations

import asyncio
import os
import signal
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest

from tests.support.developer import APP, SERVER, Developer, MakeDeveloper

BREAKS = SERVER.replace("        self.send_response(200)", '''\
        if body.startswith(b"bad"):
            self.send_response(500)
            self.send_header("Content-Length", "0")
            return self.end_headers()
        self.send_response(200)''')
CHECKS = """\
checks:
  on_bad_release: revert
  watch_seconds: 5
  smoke:
    text: {command: 'test "$PLATFORM_BRANCH" = early || cat text', timeout: 5}
"""


@pytest.fixture
async def me(developer: MakeDeveloper) -> Developer:
    return await developer("checked", files={
        "server.py": BREAKS, ".platform.app.yaml": APP, ".deployd.yaml": CHECKS,
    })


async def ask(me: Developer, path: str) -> Any:
    async with me.daemon.session() as session, session.get(path) as answer:
        assert answer.status == 200, await answer.text()
        return await (answer.json() if answer.content_type == "application/json" else answer.text())


async def environment(me: Developer, branch: str) -> dict[str, Any]:
    found = await ask(me, "/api/v1/environments?project=checked")
    return dict(next(item for item in found["items"] if item["branch"] == branch))


async def activities(me: Developer, branch: str) -> list[dict[str, Any]]:
    found = await ask(me, "/api/v1/activities?project=checked&limit=20")
    return [item for item in found["items"] if item["branch"] == branch]


async def reasons(me: Developer) -> list[str]:
    return [item for item in (await ask(me, "/status"))["reasons"] if item.startswith("checked/main")]


async def live(me: Developer, branch: str, text: str) -> None:
    """A push whose watch nobody waits for: what comes next ends it."""
    await me.push(branch, options=["no-wait"])
    async with asyncio.timeout(60):
        while await me.page(branch) != (200, f"{text} on {branch}"):
            await asyncio.sleep(0.05)


async def test_a_bad_release_is_back_to_the_version_before_and_everybody_is_told(me: Developer) -> None:
    good = await me.push()
    text = "\n".join(good.lines)
    assert good.deployed, text
    assert "watched: 2 smoke tests passed" in text
    assert (await environment(me, "main"))["bad_release"] is None

    await me.write({"text": "bad"})
    pushed = await me.push()
    text = "\n".join(pushed.lines)
    assert not pushed.deployed
    assert await me.page() == (200, "first on main")
    [back, bad, before] = await activities(me, "main")
    assert (back["kind"], back["state"], back["how"]) == ("rollback", "success", "checks")
    assert f"the smoke test home failed 3 times in a row: GET {me.daemon.url('checked')} answers 500" in bad["reason"]
    assert f"activity {back['id']} brings the version of activity {before['id']} back" in bad["reason"]
    assert bad["reason"] in text, "who pushed is told"
    assert "rollback of main done" in text, "and sees it come back"

    found = (await environment(me, "main"))["bad_release"]
    assert (found["activity"], found["back"], found["back_to"], found["live"]) == (
        bad["id"], back["id"], before["id"], False)
    [reason] = await reasons(me)
    assert f"the version of activity {before['id']} is live again" in reason
    audit = (await ask(me, "/api/v1/audit?project=checked&limit=3"))["items"][0]
    assert (audit["who"], audit["by"], audit["action"]) == ("deployd", "checks", "revert")
    page = f"/projects/checked/environments/{(await environment(me, 'main'))['name']}"
    for path, words in (
        ("/", "back from a bad release"), (page, "failed 3 times in a row"),
        (f"/activities/{bad['id']}", f"rollback {back['id']}"),
    ):
        assert words in await ask(me, path), path

    await me.write({"text": "third"})
    await live(me, "main", "third")
    async with asyncio.timeout(60):  # its pages are served a moment before it is written down as live
        while await reasons(me):
            await asyncio.sleep(0.05)
    versions = await ask(me, f"/api/v1{page}/versions")
    assert [bool(item["bad"]) for item in versions["items"]] == [False, False, True, False]


async def test_a_release_that_fails_a_test_before_the_switch_is_never_seen(me: Developer) -> None:
    await live(me, "early", "first")
    await me.write({"text": "bad"})
    pushed = await me.push("early")
    text = "\n".join(pushed.lines)
    assert not pushed.deployed
    assert "the smoke test home fails before the switch" in text
    assert "requests are held" not in text
    assert await me.page("early") == (200, "first on early")
    assert (await activities(me, "early"))[0]["kind"] == "push", "nothing was live that could be reverted"


async def test_visitors_errors_bring_the_version_before_back_though_the_daemon_is_killed_meanwhile(
    me: Developer,
) -> None:
    await live(me, "busy", "first")
    for _ in range(60):
        assert (await me.page("busy"))[0] == 200
    async with visited(me, "busy") as seen:
        await me.write({"text": "bad"})
        await me.push("busy", options=["no-wait"])
        async with asyncio.timeout(90):
            while 500 not in seen:
                await asyncio.sleep(0.05)
            pid = me.daemon.running()
            assert pid is not None
            os.kill(pid, signal.SIGKILL)
            await me.daemon.start()
            while (await activities(me, "busy"))[0]["kind"] != "rollback":
                await asyncio.sleep(0.1)
            while seen[-1] != 200:
                await asyncio.sleep(0.05)
    [_, bad, first] = await activities(me, "busy")
    assert first["state"] == "success", "the newer push ended its watch"
    assert "requests failed since the switch" in bad["reason"]
    assert "(before: 0 of " in bad["reason"]


@asynccontextmanager
async def visited(me: Developer, branch: str) -> AsyncIterator[list[int]]:
    """While somebody visits a page again and again: the statuses that they got."""
    seen: list[int] = [0]

    async def visit() -> None:
        while True:
            seen.append((await me.page(branch))[0])
            await asyncio.sleep(0.05)

    async with asyncio.TaskGroup() as group:
        visiting = group.create_task(visit())
        yield seen
        visiting.cancel()
