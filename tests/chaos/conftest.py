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
from tests.chaos.actors import Actor
from tests.chaos.stand import MAIN, SIDE, Stand
from tests.chaos.visitors import Visitors


@pytest.fixture
async def stand(tmp_path: Path) -> AsyncIterator[Stand]:
    """Two places are live, and visited."""
    directory = Path(tempfile.mkdtemp(prefix="deployd-kill-"))
    daemon = LocalDaemon(directory, {"kill": {}}, instance=f"test-kill-{os.urandom(3).hex()}",
                         settings={"answer_seconds": 10})
    actors = {place: Actor(daemon, place, tmp_path / place.branch, False, 1) for place in (MAIN, SIDE)}
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
