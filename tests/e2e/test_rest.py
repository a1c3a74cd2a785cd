"""Environments that sleep, wake, and are only stored: by real pushes, requests of the API and visitors."""

from __future__ import annotations

import asyncio
from typing import Any

import aiohttp
from yarl import URL

from deployd.environment.naming import machine_name
from scripts.git_push import Pushed
from tests.support.developer import APP, SERVER, Developer, MakeDeveloper

LIMIT_SECONDS = 90.0
WITH_MOUNT = APP + "mounts:\n  data:\n    source: local\n    source_path: data\n"
ENDS_WHEN_TOLD = "import os, sys\nif os.path.exists('/app/data/ill'):\n    sys.exit(3)\n" + SERVER


def said(pushed: Pushed) -> str:
    return " ".join(pushed.lines)


async def deed(me: Developer, branch: str, name: str, **body: Any) -> tuple[int, dict[str, Any]]:
    path = f"/api/v1/projects/{me.project}/environments/{machine_name(branch)}/{name}"
    async with me.daemon.session() as session, session.post(path, json=body) as answer:
        return answer.status, await answer.json()


async def carried_out(me: Developer, branch: str, name: str) -> dict[str, Any]:
    """A deed of the API, and what became of it."""
    status, made = await deed(me, branch, name)
    assert status == 202, made
    return await ended(me, made["id"])


async def ended(me: Developer, number: int) -> dict[str, Any]:
    async with me.daemon.session() as session, asyncio.timeout(LIMIT_SECONDS):
        while True:
            async with session.get(f"/api/v1/activities/{number}") as answer:
                found: dict[str, Any] = await answer.json()
            if found["state"] not in ("pending", "in_progress"):
                return found
            await asyncio.sleep(0.1)


async def environments(me: Developer) -> dict[str, dict[str, Any]]:
    async with me.daemon.session() as session, session.get(f"/api/v1/environments?project={me.project}") as answer:
        return {item["branch"]: item for item in (await answer.json())["items"]}


async def newest(me: Developer) -> dict[str, Any]:
    async with me.daemon.session() as session, session.get(f"/api/v1/activities?project={me.project}") as answer:
        found: dict[str, Any] = (await answer.json())["items"][0]
        return found


async def visit(me: Developer, branch: str, method: str = "GET", agent: str = "Firefox") -> tuple[int, str]:
    url = URL(me.daemon.url(me.project, branch))
    headers = {"Host": url.authority, "User-Agent": agent, "Accept": "text/html"}
    async with aiohttp.ClientSession() as session, session.request(
        method, url.with_host("127.0.0.1"), headers=headers,
    ) as answer:
        return answer.status, await answer.text()


async def test_a_hundred_visitors_wake_what_was_paused_and_all_are_answered(developer: MakeDeveloper) -> None:
    me = await developer("resting")
    assert (await me.push("nap")).deployed
    paused = await carried_out(me, "nap", "pause")
    assert (paused["state"], (await environments(me))["nap"]["state"]) == ("success", "paused")
    assert (await visit(me, "nap", "HEAD"))[0] == 503
    assert (await visit(me, "nap", agent="Googlebot/2.1"))[0] == 503
    assert (await newest(me))["kind"] == "pause"   # neither woke it
    async with asyncio.TaskGroup() as group:
        visits = [group.create_task(visit(me, "nap")) for _ in range(100)]
    assert {visit.result() for visit in visits} == {(200, "first on nap")}
    woken = await newest(me)
    assert (woken["kind"], woken["who"], (await ended(me, woken["id"]))["state"]) == ("wake", "a visitor", "success")
    assert (await environments(me))["nap"]["state"] == "live"
    status, refused = await deed(me, "nap", "wake")
    assert (status, refused["code"]) == (409, "already-so")
    assert (await me.push("nap", delete=True)).status == 0


async def test_a_stored_branch_is_deployed_when_somebody_activates_it_and_not_before(developer: MakeDeveloper) -> None:
    me = await developer("resting", files={".platform.app.yaml": "nonsense: ["})
    pushed = await me.push("wip/idea")   # it need not be right
    assert pushed.status == 0
    assert "wip/idea is stored and not deployed" in said(pushed)
    assert (await environments(me))["wip/idea"]["state"] == "inactive"
    failed = await carried_out(me, "wip/idea", "activate")
    assert (failed["state"], (await environments(me))["wip/idea"]["state"]) == ("failed", "inactive")
    await me.write({".platform.app.yaml": WITH_MOUNT, "text": "first"})
    assert (await me.push("wip/idea")).status == 0
    assert (await carried_out(me, "wip/idea", "activate"))["state"] == "success"
    assert await me.page("wip/idea") == (200, "first on wip/idea")
    await me.write({"text": "second"})
    assert (await me.push("wip/idea")).deployed
    assert (await carried_out(me, "wip/idea", "deactivate"))["state"] == "success"
    assert (await visit(me, "wip/idea"))[0] == 404
    await me.write({"text": "third"})
    assert "its environment is inactive" in said(await me.push("wip/idea"))
    status, refused = await deed(me, "wip/idea", "pause")
    assert (status, refused["code"]) == (409, "environment-inactive")
    assert (await carried_out(me, "wip/idea", "activate"))["state"] == "success"
    assert await me.page("wip/idea") == (200, "third on wip/idea")
    assert (await me.push("wip/idea", delete=True)).status == 0


async def test_beyond_max_active_a_branch_is_stored_and_the_push_says_what_to_do(developer: MakeDeveloper) -> None:
    me = await developer("resting")
    assert (await me.push("one")).deployed
    assert (await me.push("two")).deployed
    third = await me.push("three")
    assert third.status == 0
    assert "2 environments of resting are active besides production, and 2 may be" in said(third)
    assert "deployd environment deactivate resting BRANCH" in said(third)
    assert (await deed(me, "three", "activate"))[1]["code"] == "too-many-active"
    assert (await carried_out(me, "one", "deactivate"))["state"] == "success"
    assert (await carried_out(me, "three", "activate"))["state"] == "success"
    assert await me.page("three") == (200, "first on three")
    for branch in ("one", "two", "three"):
        assert (await me.push(branch, delete=True)).status == 0


async def test_what_cannot_be_woken_stays_paused_with_a_page_that_says_so(developer: MakeDeveloper) -> None:
    me = await developer("resting", files={".platform.app.yaml": WITH_MOUNT, "server.py": ENDS_WHEN_TOLD})
    assert (await me.push("ill")).deployed
    assert (await carried_out(me, "ill", "pause"))["state"] == "success"
    [data] = (me.daemon.directory / "var/state/environments/resting").glob("ill-*/volumes/app/data")
    (data / "ill").touch()
    status, page = await visit(me, "ill")
    assert status == 503
    assert "This site did not wake up" in page
    woken = await newest(me)
    found = await ended(me, woken["id"])
    assert (found["kind"], found["state"]) == ("wake", "failed")
    assert "app" in found["reason"]
    assert (await environments(me))["ill"]["state"] == "paused"
    assert (await visit(me, "ill"))[0] == 503
    assert (await newest(me))["id"] == woken["id"]   # nobody tries anew for a while
    (data / "ill").unlink()
    assert (await carried_out(me, "ill", "wake"))["state"] == "success"   # but a person may
    assert await me.page("ill") == (200, "first on ill")
    assert (await me.push("ill", delete=True)).status == 0
