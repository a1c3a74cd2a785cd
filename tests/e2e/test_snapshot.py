"""A failed migration is undone row for row, whatever becomes of the daemon meanwhile; and what an operator can do."""

from __future__ import annotations

import asyncio
import os
import signal
import sqlite3
import sys
from contextlib import closing
from difflib import unified_diff
from pathlib import Path
from typing import Any

import pytest

from deployd.environment.naming import machine_name
from deployd.process import Output, run
from tests.support.developer import Developer, MakeDeveloper
from tests.support.hook_that_spoils import FILES, SPOIL, dump

SERVICES = ("maria", "post", "cache")
END_SECONDS = 120.0
SPOIL_AND_FAIL = f"mkdir /tmp/once || exit 99   # it was begun twice\ntouch data/flag\n{SPOIL}\nsleep 2\nexit 1\n"
KILLS = (
    ("take_snapshot", "started", 1, 0.9), ("run_deploy_hook", "started", 1, 0.5), ("take_snapshot", "undoing", 1, 0.1),
    ("take_snapshot", "undoing", 2, 0.8),
)
"""(step, event, how often it was written, seconds after that)"""


@pytest.fixture
async def me(developer: MakeDeveloper) -> Developer:
    """A developer whose first version is live, with full databases."""
    made = await developer("data", files=FILES)
    if (await made.page())[0] == 404:
        pushed = await made.push()
        assert pushed.deployed, pushed.lines
    return made


async def test_a_failed_migration_is_undone_though_the_daemon_is_killed_again_and_again(me: Developer) -> None:
    before = await _dumps(me)
    await me.write({"text": "never", "migrate.sh": SPOIL_AND_FAIL})
    assert (await me.push(options=("no-wait",))).status == 0
    number = (await _newest(me))["id"]
    for step, event, count, seconds in KILLS:
        await _when(me, number, step, event, count)
        await asyncio.sleep(seconds)
        await _kill(me)
        await me.daemon.start()
    ended = await _end(me, number)
    assert (ended["state"], "exit code 1" in ended["reason"]) == ("failed", True), ended
    assert _difference(before, await _dumps(me)) == []
    assert await me.page() == (200, "first on main")
    assert not _mount(me).joinpath("flag").exists(), "what the hook did in mounts is taken back too"
    assert _snapshots(me) == []
    assert [seen for seen in await _containers(me) if "Paused" in seen or "-snapshot-" in seen] == []


async def test_a_snapshot_that_cannot_be_put_back_is_kept_and_told_and_an_operator_helps_it_on(me: Developer) -> None:
    before = await _dumps(me)
    await me.write({"text": "never", "migrate.sh": SPOIL_AND_FAIL})
    await me.push(options=("no-wait",))
    number = (await _newest(me))["id"]
    await _when(me, number, "run_deploy_hook", "started", 1)
    [snapshot] = _snapshots(me)
    lost = snapshot / "maria" / "ibdata1"
    lost.rename(snapshot.with_name("elsewhere"))
    await _when(me, number, "take_snapshot", "stuck", 1)
    shown = (await _cli(me, "activities", "--json")).text
    assert "cannot undo take snapshot" in shown
    assert "cannot be made what they were before the deploy hook" in shown
    status = await _cli(me, "status", check=False)
    assert status.status == 1
    assert f"activity {number} cannot undo take snapshot" in status.text
    log = (await _cli(me, "log", str(number), check=False)).text
    assert f"the snapshot is kept in {snapshot}" in log
    assert "docker stop" in log
    assert await _page_soon(me) != 200, "nobody sees the old version on spoiled data"
    snapshot.with_name("elsewhere").rename(lost)
    await _cli(me, "undo", "retry", str(number))
    assert (await _end(me, number))["state"] == "failed"
    assert _difference(before, await _dumps(me)) == []
    assert await me.page() == (200, "first on main")


async def test_a_snapshot_that_an_operator_skips_stays_and_the_rest_is_undone(me: Developer) -> None:
    await me.write({"text": "never", "migrate.sh": "sleep 2\nexit 1\n"})
    await me.push(options=("no-wait",))
    number = (await _newest(me))["id"]
    await _when(me, number, "run_deploy_hook", "started", 1)
    [snapshot] = _snapshots(me)
    (snapshot / "maria" / "ibdata1").unlink()
    await _when(me, number, "take_snapshot", "stuck", 1)
    await _cli(me, "undo", "skip", str(number))
    ended = await _end(me, number)
    assert ended["reason"].endswith("; take snapshot is not undone, skipped by operator")
    assert await me.page() == (200, "first on main")
    assert (snapshot / "post").is_dir(), "what is there is left to the operator"
    assert (await _cli(me, "undo", "skip", str(number), check=False)).status == 6
    await run("rm", "-rf", str(snapshot.parent))


async def _page_soon(me: Developer) -> int | None:
    """The page's status, or None while visitors are held."""
    try:
        async with asyncio.timeout(2):
            return (await me.page())[0]
    except TimeoutError:
        return None


async def _dumps(me: Developer) -> dict[str, list[str]]:
    prefix = f"{me.daemon.instance}-{me.project}-{machine_name('main')}"
    return {service: (await dump(f"{prefix}-{service}", service)).splitlines() for service in SERVICES}


def _difference(one: dict[str, list[str]], other: dict[str, list[str]]) -> list[str]:
    return [line for name in one for line in unified_diff(one[name], other[name], name, name, lineterm="", n=0)]


def _state(me: Developer) -> Path:
    return me.daemon.directory / "var" / "state"


def _snapshots(me: Developer) -> list[Path]:
    return list(_state(me).glob(f"environments/{me.project}/*/snapshots/*"))


def _mount(me: Developer) -> Path:
    [folder] = _state(me).glob(f"environments/{me.project}/*/volumes/app/data")
    return folder


async def _when(me: Developer, activity: int, step: str, event: str, count: int) -> None:
    """Wait until the journal has an entry so often."""
    query = "SELECT count(*) FROM journal WHERE activity = ? AND step = ? AND event = ?"
    async with asyncio.timeout(END_SECONDS):
        with closing(sqlite3.connect(f"file:{_state(me)}/state.db?mode=ro", uri=True)) as db:
            while db.execute(query, (activity, step, event)).fetchone()[0] < count:
                await asyncio.sleep(0.01)


async def _kill(me: Developer) -> None:
    pid = me.daemon.running()
    assert pid is not None
    os.kill(pid, signal.SIGKILL)
    while me.daemon.running() is not None:
        await asyncio.sleep(0.02)


async def _newest(me: Developer) -> dict[str, Any]:
    async with me.daemon.session() as session, session.get(
        f"/api/v1/activities?project={me.project}&limit=1",
    ) as answer:
        return dict((await answer.json())["items"][0])


async def _end(me: Developer, activity: int) -> dict[str, Any]:
    async with asyncio.timeout(END_SECONDS):
        while True:
            found = await _newest(me)
            assert found["id"] == activity
            if found["ended_at"]:
                return found
            await asyncio.sleep(0.1)


async def _cli(me: Developer, *argv: str, check: bool = True) -> Output:
    socket = me.daemon.directory / "var" / "run" / "api.sock"
    return await run(sys.executable, "-m", "deployd", argv[0], "--socket", str(socket), *argv[1:], check=check)


async def _containers(me: Developer) -> list[str]:
    found = await run("docker", "ps", "-a", "--format", "{{.Names}} {{.Status}}", "--filter",
                      f"label=deployd={me.daemon.instance}", "--filter", f"label=deployd.project={me.project}")
    return found.text.splitlines()
