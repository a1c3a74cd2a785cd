"""A daemon of its own for each test that kills it."""

from __future__ import annotations

import asyncio
import os
import tempfile
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from scripts.local_daemon import LocalDaemon
from scripts.removal import left_behind, remove_all
from scripts.repository import make_repository
from tests.chaos.actors import Actor
from tests.chaos.stand import MAIN, SIDE, Stand
from tests.chaos.visitors import Visitors
from tests.support.developer import SERVER, Developer
from tests.support.waiting_hooks import APP

GATED = {"environments": {"gate": {"protected": {"source": "main", "approvals": 1}}}}


@pytest.fixture
async def stand(tmp_path: Path) -> AsyncIterator[Stand]:
    """Two places are live, and visited."""
    directory = Path(tempfile.mkdtemp(prefix="deployd-kill-"))
    daemon = LocalDaemon(directory, {"kill": GATED}, instance=f"test-kill-{os.urandom(3).hex()}",
                         settings={"answer_seconds": 10})
    actors = {place: Actor(daemon, place, tmp_path / place.branch, place == MAIN, 1) for place in (MAIN, SIDE)}
    made = Stand(daemon, actors, Visitors(daemon, (MAIN, SIDE)))
    try:
        await daemon.start(limit_seconds=300)
        for actor in actors.values():
            await actor.prepare()
        async with asyncio.TaskGroup() as group:
            group.create_task(made.visitors.visit(), name="visitors")
            try:
                yield made
            finally:
                made.visitors.leave()
    finally:
        await daemon.stop()
        await remove_all(daemon.instance, directory)
    assert await left_behind(daemon.instance, directory) == []


@pytest.fixture
async def me(tmp_path: Path) -> AsyncIterator[Developer]:
    """A developer with a daemon of their own, whose first version is live."""
    directory = Path(tempfile.mkdtemp(prefix="deployd-router-"))
    daemon = LocalDaemon(directory, {"shop": {}}, instance=f"test-router-{os.urandom(3).hex()}",
                         settings={"answer_seconds": 15})
    source = tmp_path / "source"
    source.mkdir()
    for name, text in {".platform.app.yaml": APP, "text": "0", "server.py": SERVER}.items():
        (source / name).write_text(text)
    await make_repository(tmp_path / "tree", source)
    developer = Developer(daemon, tmp_path / "tree", "shop")
    try:
        await daemon.start(limit_seconds=300)
        assert (await developer.push()).deployed
        yield developer
    finally:
        await daemon.stop()
        await remove_all(daemon.instance, directory)
    assert await left_behind(daemon.instance, directory) == []
