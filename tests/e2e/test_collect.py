"""Housekeeping: what nobody needs goes, what an environment can go back to stays, and data of deleted ones a while."""

from __future__ import annotations

import asyncio
import os
import tempfile
import time
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from deployd.environment.naming import machine_name
from deployd.process import run
from scripts.local_daemon import LocalDaemon
from scripts.removal import left_behind, remove_all
from scripts.repository import make_repository
from tests.support.developer import APP, SERVER, Developer

FILES = {
    ".platform.app.yaml": APP + """\
relationships:
  cache: "store:redis"
mounts:
  data:
    source: local
    source_path: data
hooks:
  deploy: echo "$PLATFORM_TREE_ID" >> data/ran
""",
    ".platform/services.yaml": "store:\n  type: redis-persistent:8.0\n  disk: 256\n",
    "server.py": SERVER, "text": "v0",
}
HOURS_2 = 7200


@pytest.fixture
async def me(tmp_path: Path) -> AsyncIterator[Developer]:
    directory = Path(tempfile.mkdtemp(prefix="deployd-collect-"))
    daemon = LocalDaemon(directory, {"keep": {}}, instance=f"test-collect-{os.urandom(3).hex()}", settings={
        "keep_versions": 1, "collect": {"every_minutes": 0, "slug_days": 0, "deleted_days": 7},
    })
    source = tmp_path / "source"
    for name, text in FILES.items():
        (source / name).parent.mkdir(parents=True, exist_ok=True)
        (source / name).write_text(text)
    await make_repository(tmp_path / "tree", source)
    try:
        await daemon.start(limit_seconds=300)
        yield Developer(daemon, tmp_path / "tree", "keep")
    finally:
        await daemon.stop()
        await remove_all(daemon.instance, directory)
    assert await left_behind(daemon.instance, directory) == []


async def test_slugs_stay_as_long_as_an_environment_can_go_back_to_them(me: Developer) -> None:
    slugs = me.daemon.directory / "var/state/slugs"
    for number in range(3):
        await me.write({"text": f"v{number}"})
        assert (await me.push()).deployed
    assert len(list(slugs.glob("*.squashfs"))) == 3
    found = await collect(me)
    assert found["things"] == []   # each was asked for a moment ago
    for note in slugs.glob("*.json"):
        os.utime(note, (time.time() - HOURS_2, time.time() - HOURS_2))
    would = await collect(me, dry_run=True)
    assert [thing["kind"] for thing in would["things"]] == ["slug"]
    assert len(list(slugs.glob("*.squashfs"))) == 3
    assert (await collect(me))["things"] == would["things"]
    assert len(list(slugs.glob("*.squashfs"))) == 2
    async with me.daemon.session() as session, asyncio.timeout(60):
        # A status may be a second old.
        while (last := await status(session))["collected"].get("things") != {"slug": 1}:
            await asyncio.sleep(0.3)
        assert last["collected"]["size_bytes"] == would["size_bytes"]
    async with me.daemon.session() as session:
        path = f"/api/v1/projects/keep/environments/{machine_name('main')}/rollback"
        async with session.post(path, json={"lock": False}) as answer:
            number = (await answer.json())["id"]
        assert await ended(session, number) == "success"
    assert await me.page() == (200, "v1 on main")


async def test_data_of_a_deleted_branch_is_found_again_until_its_time_is_over(me: Developer) -> None:
    assert (await me.push("side")).deployed
    assert (await me.push("side", delete=True)).status == 0
    assert len(await volumes(me)) == 1
    assert not [thing for thing in (await collect(me))["things"] if thing["kind"] == "data"]
    await me.write({"text": "v1"})
    assert (await me.push("side")).deployed
    assert len(ran(me, "side")) == 2   # the file goes on where it was
    assert (await me.push("side", delete=True)).status == 0
    found = await collect(me, deleted=True)
    [thing] = [thing for thing in found["things"] if thing["kind"] == "data"]
    assert thing["name"] == f"keep/{machine_name('side')}"
    async with me.daemon.session() as session:
        async with session.get("/api/v1/activities?limit=1") as answer:
            [newest] = (await answer.json())["items"]
        assert (newest["kind"], await ended(session, newest["id"])) == ("purge", "success")
    assert await volumes(me) == []
    assert not (me.daemon.directory / "var/state/environments/keep" / machine_name("side")).exists()
    left = await collect(me, dry_run=True, deleted=True)
    assert [thing for thing in left["things"] if thing["kind"] == "data"] == []


async def collect(me: Developer, *, dry_run: bool = False, deleted: bool = False) -> Any:
    async with me.daemon.session() as session:
        if dry_run:
            async with session.get("/api/v1/collect", params={"deleted": str(int(deleted))}) as answer:
                return await answer.json()
        async with session.post("/api/v1/collect", json={"deleted": deleted}) as answer:
            assert answer.status == 200, await answer.text()
            return await answer.json()


async def status(session: Any) -> Any:
    async with session.get("/status", params={"environments": "0"}) as answer:
        return await answer.json()


async def ended(session: Any, number: int) -> str:
    async with session.get(f"/api/v1/activities/{number}/log?follow=1") as answer:
        await answer.read()
    async with session.get(f"/api/v1/activities/{number}") as answer:
        return str((await answer.json())["state"])


async def volumes(me: Developer) -> list[str]:
    label = f"label=deployd={me.daemon.instance}"
    return (await run("docker", "volume", "ls", "--quiet", "--filter", label)).text.split()


def ran(me: Developer, branch: str) -> list[str]:
    folder = me.daemon.directory / "var/state/environments/keep" / machine_name(branch)
    [file] = folder.rglob("data/ran")
    return file.read_text().split()
