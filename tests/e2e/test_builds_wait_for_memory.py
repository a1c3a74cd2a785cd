"""A daemon that may use less memory than the host uses already: a build waits, says why, and can be cancelled."""

from __future__ import annotations

import asyncio
import os
import tempfile
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from scripts.local_daemon import LocalDaemon
from scripts.removal import left_behind, remove_all
from scripts.repository import make_repository
from tests.support.developer import APP, SERVER, Developer

END_SECONDS = 60.0
BUILT = {".platform.app.yaml": APP + "hooks: {build: 'true'}\n", "server.py": SERVER, "text": "first"}


@pytest.fixture
async def me(tmp_path: Path) -> AsyncIterator[Developer]:
    directory = Path(tempfile.mkdtemp(prefix="deployd-memory-"))
    daemon = LocalDaemon(directory, {"small": {}}, instance=f"test-memory-{os.urandom(3).hex()}",
                         settings={"limits": {"memory_mb": 256}, "build": {"memory_mb": 200}})
    source = tmp_path / "source"
    source.mkdir()
    for name, text in BUILT.items():
        (source / name).write_text(text)
    await make_repository(tmp_path / "tree", source)
    try:
        await daemon.start(limit_seconds=300)
        yield Developer(daemon, tmp_path / "tree", "small")
    finally:
        await daemon.stop()
        await remove_all(daemon.instance, directory)
    assert await left_behind(daemon.instance, directory) == []


async def test_a_build_without_memory_waits_says_why_and_a_larger_one_fails_at_once(me: Developer) -> None:
    assert (await me.push(options=("no-wait",))).status == 0
    waiting = await _when(me, lambda found: bool(found["waits"]))
    assert waiting["waits"] == "waits: needs 200 MB for the build, 0 MB are free of 256 MB"
    async with me.daemon.session() as session, session.post(f"/api/v1/activities/{waiting['id']}/cancel") as answer:
        assert answer.status == 202
    ended = await _when(me, lambda found: bool(found["ended_at"]))
    assert (ended["state"], ended["waits"]) == ("cancelled", "")

    await me.daemon.stop()
    text = me.daemon.settings_file.read_text()
    me.daemon.settings = {**me.daemon.settings, "build": {"memory_mb": 300}}
    await me.daemon.start()
    assert me.daemon.settings_file.read_text() != text
    await me.write({"text": "second"})
    lines = "\n".join((await me.push()).lines)
    assert "the build needs 300 MB of memory, and all there can be is 256 MB" in lines
    assert "limits.memory_mb" in lines


async def _when(me: Developer, holds: Any) -> dict[str, Any]:
    """The newest activity, as soon as something is true of it."""
    async with asyncio.timeout(END_SECONDS), me.daemon.session() as session:
        while True:
            async with session.get("/api/v1/activities?limit=1") as answer:
                items = (await answer.json())["items"]
            if items and holds(items[0]):
                return dict(items[0])
            await asyncio.sleep(0.1)
