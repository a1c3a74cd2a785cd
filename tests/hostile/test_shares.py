"""One project floods what all share; its neighbour deploys meanwhile, and what the flood leaves is looked for."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from deployd.process import run
from scripts.local_daemon import LocalDaemon
from tests.support.developer import APP, Developer, MakeDeveloper

pytestmark = pytest.mark.asyncio(loop_scope="session")

SLOW_BUILD = APP + "hooks:\n  build: |\n    sleep 900\n"
FLOOD = 12
WAIT_SECONDS = 180.0


def with_build(script: str) -> str:
    return APP + "hooks:\n  build: |\n" + "".join(f"    {line}\n" for line in script.strip().splitlines())


async def ask(daemon: LocalDaemon, method: str, path: str, **more: Any) -> tuple[int, Any]:
    async with daemon.session() as session, session.request(method, path, **more) as answer:
        return answer.status, await answer.json()


async def open_ones(daemon: LocalDaemon, project: str) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = []
    for state in ("in_progress", "pending"):
        _, answer = await ask(daemon, "GET", f"/api/v1/activities?project={project}&state={state}&limit=1000")
        found += answer["items"]
    return found


async def environments(daemon: LocalDaemon, project: str) -> list[str]:
    _, answer = await ask(daemon, "GET", f"/api/v1/environments?project={project}")
    return [item["branch"] for item in answer["items"]]


async def refs(daemon: LocalDaemon, project: str) -> list[str]:
    repository = daemon.directory / "var" / "state" / "repos" / f"{project}.git"
    found = await run("git", "--git-dir", str(repository), "for-each-ref", "--format=%(refname:short)")
    return found.text.split()


async def end_all(daemon: LocalDaemon, project: str) -> None:
    """Nothing of a project waits or runs any more."""
    async with asyncio.timeout(WAIT_SECONDS):
        while found := await open_ones(daemon, project):
            for item in found:
                await ask(daemon, "POST", f"/api/v1/activities/{item['id']}/cancel")
            await asyncio.sleep(0.5)


@asynccontextmanager
async def flooded(me: Developer) -> AsyncIterator[list[str]]:
    """Previews whose builds take a quarter of an hour; gives their branches."""
    branches = [f"flood-{number}" for number in range(FLOOD)]
    try:
        for branch in branches:
            await me.write({".platform.app.yaml": SLOW_BUILD, "text": branch})
            await me.push(branch, options=("no-wait",))
        yield branches
    finally:
        await end_all(me.daemon, me.project)
        for branch in branches:
            await me.push(branch, delete=True)
        await end_all(me.daemon, me.project)


@pytest.fixture
async def me(developer: MakeDeveloper) -> Developer:
    """The attacker, whose production is live."""
    made = await developer("shares")
    pushed = await made.push()
    assert await made.page() == (200, "first on main"), pushed.lines
    return made


async def test_a_neighbour_and_what_is_live_go_on_while_a_flood_of_previews_builds(
    me: Developer, developer: MakeDeveloper,
) -> None:
    neighbour = await developer("neighbour")
    async with flooded(me) as branches:
        pushed = await neighbour.push()
        assert await neighbour.page() == (200, "first on main"), pushed.lines
        building = [item for item in await open_ones(me.daemon, me.project) if item["state"] == "in_progress"]
        assert len(building) == len(branches), "all of them are there still"
        assert len([item for item in building if item["waits"]]) == FLOOD - 1, "one slot is its share"
        status, redeployed = await ask(me.daemon, "POST", f"/api/v1/projects/{me.project}/environments/main/redeploy")
        assert status == 202
        async with asyncio.timeout(WAIT_SECONDS):
            while (await ask(me.daemon, "GET", f"/api/v1/activities/{redeployed['id']}"))[1]["state"] != "success":
                await asyncio.sleep(0.2)
        assert len(await open_ones(me.daemon, me.project)) == len(branches), "it went past builds that go on"
    assert await environments(me.daemon, me.project) == ["main"]


@pytest.mark.parametrize(("count", "because"), [
    (3000, "a push may have 2000 branches and tags"),
    (1500, "the push has 1500 branches, and each would become an environment"),
    (90, "90 more are wanted, and 16 may be"),
])
async def test_very_many_branches_in_one_push_leave_nothing_and_hold_nobody(
    me: Developer, count: int, because: str,
) -> None:
    head = (await run("git", "-C", str(me.folder), "rev-parse", "HEAD")).text
    wanted = "".join(f"create refs/heads/many-{number} {head}\n" for number in range(count))
    await run("git", "-C", str(me.folder), "update-ref", "--stdin", stdin=wanted.encode())
    url = me.daemon.repository_url(me.project).replace("http://", f"http://git:{me.daemon.token}@")
    pushed = await run("git", "-C", str(me.folder), "push", url, "refs/heads/many-*:refs/heads/many-*",
                       check=False, limit_seconds=WAIT_SECONDS)
    said = pushed.stderr.decode(errors="replace")
    assert pushed.status != 0
    assert because in said
    assert await environments(me.daemon, me.project) == ["main"]
    assert not [name for name in await refs(me.daemon, me.project) if name.startswith("many-")]
    assert await open_ones(me.daemon, me.project) == []


async def test_branches_one_by_one_end_at_the_share_and_a_deleted_one_makes_room(me: Developer) -> None:
    await me.write({".platform.app.yaml": SLOW_BUILD})
    try:
        pushed = [await me.push(f"one-{number}", options=("no-wait",)) for number in range(18)]
        assert len(await environments(me.daemon, me.project)) == 16
        assert "16 may be" in "\n".join(pushed[-1].lines)
        assert len([name for name in await refs(me.daemon, me.project) if name.startswith("one-")]) == 15
        await end_all(me.daemon, me.project)
        await me.push("one-0", delete=True)
        await me.push("one-17", options=("no-wait",))
        assert "one-17" in await environments(me.daemon, me.project)
    finally:
        await end_all(me.daemon, me.project)
        for number in range(18):
            await me.push(f"one-{number}", delete=True)
        await end_all(me.daemon, me.project)


async def test_redeploys_by_the_hundred_end_at_the_share_and_a_rollback_finds_a_place(me: Developer) -> None:
    await me.write({"text": "second"})
    await me.push()
    url = f"/api/v1/projects/{me.project}/environments"
    await me.write({".platform.app.yaml": SLOW_BUILD})
    await me.push("slow", options=("no-wait",))
    try:
        answers = [await ask(me.daemon, "POST", f"{url}/main/rollback", json={"lock": False}) for _ in range(60)]
        refused = [answer for status, answer in answers if status == 409]
        assert refused
        assert {answer["code"] for answer in refused} == {"share-taken"}
        assert len(await open_ones(me.daemon, me.project)) <= 16 + 20 + 2
    finally:
        await end_all(me.daemon, me.project)
        await me.push("slow", delete=True)
        await end_all(me.daemon, me.project)


WRITES: dict[str, tuple[str, str]] = {
    "for ever into a file of its own script": (
        "while :; do head -c 20000000 /dev/zero >> /run/deployd/scripts/build-0/pid; sleep 0.05; done", "300 MB may be",
    ),
    "for ever into its workspace": ("while :; do head -c 20000000 /dev/zero >> big; sleep 0.05; done", "300 MB may be"),
    "for ever into the cache": (
        'while :; do head -c 20000000 /dev/zero >> "$PLATFORM_CACHE_DIR/big"; sleep 0.05; done', "300 MB may be",
    ),
    "where no path is long enough to lead": (
        """
python3 - <<'END'
import os, time
while len(os.listdir(".")) >= 0:
    for _ in range(50):
        os.mkdir("d" * 200)
        os.chdir("d" * 200)
    with open("big", "wb") as file:
        file.write(b"0" * 30_000_000)
    time.sleep(0.1)
END
""", "may be"),
    "files without an end": (
        """
python3 - <<'END'
import itertools, os
for number in itertools.count():
    os.makedirs(f"many/{number // 1000}", exist_ok=True)
    open(f"many/{number // 1000}/{number}", "w").close()
END
""", "more than 30000 files"),
}


async def test_a_build_that_leaves_a_file_without_an_end_is_not_packed(me: Developer) -> None:
    """It takes no room, and packing would read it with all processors of the host for ten minutes."""
    await me.write({".platform.app.yaml": with_build("truncate -s 1T big")})
    async with asyncio.timeout(60):
        pushed = await me.push("sparse")
    assert not pushed.deployed
    assert "what was built of app is 1048576 MB long, and 300 MB may be" in "\n".join(pushed.lines)
    await me.push("sparse", delete=True)


@pytest.mark.parametrize("name", WRITES)
async def test_a_build_that_writes_is_ended_and_leaves_nothing(me: Developer, name: str) -> None:
    script, says = WRITES[name]
    await me.write({".platform.app.yaml": with_build(script)})
    pushed = await me.push("writes")
    text = "\n".join(pushed.lines)
    assert not pushed.deployed
    assert "the build of app was ended: with the project's cache it has written" in text
    assert says in text
    assert is_empty(me.daemon.directory / "var" / "state" / "work")
    assert await me.page() == (200, "first on main")
    await me.push("writes", delete=True)


async def test_a_cache_that_was_filled_to_the_brim_is_emptied_and_ends_no_further_build(me: Developer) -> None:
    fill = with_build('head -c 200000000 /dev/zero > "$PLATFORM_CACHE_DIR/big"')
    await me.write({".platform.app.yaml": fill, "text": "filled"})
    assert (await me.push()).deployed
    await me.write({".platform.app.yaml": with_build("ls -A $PLATFORM_CACHE_DIR | wc -l > text")})
    pushed = await me.push()
    assert pushed.deployed, pushed.lines
    assert "the cache of builds was emptied: it had 190 MB, and 150 MB may be" in "\n".join(pushed.lines)
    assert await me.page() == (200, "0 on main")


@pytest.mark.parametrize("ends", ["exit 1", "exit 0"])
async def test_a_tree_that_is_deeper_than_a_path_may_be_is_removed(me: Developer, ends: str) -> None:
    await me.write({".platform.app.yaml": with_build(f"""
python3 - <<'END'
import os
for _ in range(1500):
    os.mkdir("d")
    os.chdir("d")
END
{ends}
""")})
    await me.push("deep")
    assert is_empty(me.daemon.directory / "var" / "state" / "work")
    _, status = await ask(me.daemon, "GET", "/status")
    assert not [reason for reason in status["reasons"] if "cannot undo" in reason]
    await me.push("deep", delete=True)
    assert await me.page() == (200, "first on main")


async def test_a_token_that_follows_everything_takes_nobodys_place(me: Developer) -> None:
    await me.write({".platform.app.yaml": SLOW_BUILD})
    await me.push("followed", options=("no-wait",))
    [activity] = await open_ones(me.daemon, me.project)
    try:
        async with AsyncExitStack() as stack:
            session = await stack.enter_async_context(aiohttp.ClientSession(
                me.daemon.api, headers={"Authorization": f"Bearer {me.daemon.token}"},
                connector=aiohttp.TCPConnector(limit=0),
            ))
            path = f"/api/v1/activities/{activity['id']}/log?follow=1"
            for _ in range(100):
                answer = await stack.enter_async_context(session.get(path))
                assert answer.status == 200
            async with session.get(path) as answer:
                assert (answer.status, (await answer.json())["code"]) == (429, "too-many")
            local = await stack.enter_async_context(aiohttp.ClientSession(
                connector=aiohttp.UnixConnector(str(me.daemon.directory / "var" / "run" / "api.sock")),
            ))
            async with local.get("http://deployd/api/v1/projects") as answer:
                assert answer.status == 200, "others have seats of their own"
            async with aiohttp.ClientSession(me.daemon.api) as visitor, visitor.get("/readyz") as answer:
                assert answer.status == 200
        async with asyncio.timeout(WAIT_SECONDS):
            while (await _projects(me.daemon)) != 200:
                await asyncio.sleep(0.5)
    finally:
        await end_all(me.daemon, me.project)
        await me.push("followed", delete=True)


async def _projects(daemon: LocalDaemon) -> int:
    return (await ask(daemon, "GET", "/api/v1/projects"))[0]


def is_empty(path: Path) -> bool:
    return not path.exists() or not list(path.iterdir())
