"""SIGKILL of the daemon at each step of one deployment, on both sides of what the journal says of it.

The same activity is killed again and again: each daemon that comes back carries it as far as the next point. Visitors
read and order all the time. What is right is counted as after a storm.
"""

from __future__ import annotations

import asyncio
import os
import tempfile
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass
from pathlib import Path

import pytest

from deployd.activity.table import NO_WAY_BACK, NOTHING
from deployd.deployment.steps import DELETE, PUSH
from scripts.local_daemon import DaemonDidNotStart, LocalDaemon
from scripts.removal import left_behind, remove_all
from tests.chaos.actors import Actor
from tests.chaos.count import hooks_not_once, lost_activities, wrong_answers, wrong_orders
from tests.chaos.doom import LAST_WORDS, VARIABLE
from tests.chaos.inventory import ownerless
from tests.chaos.record import read_live, read_open, read_records
from tests.chaos.sample import Place
from tests.chaos.visitors import Visitors

pytestmark = pytest.mark.slow

MAIN, SIDE = Place("kill", "main"), Place("kill", "side", may_go=True)
LIMIT_SECONDS = 120.0
BEFORE_UNDO = PUSH.steps[:[step.name for step in PUSH.steps].index("run_deploy_hook") + 1]
WAY = [
    f"{step.name}:{side}" for step in (*PUSH.steps, *DELETE.steps) for side in ("started:after", "done:before")
]
WAY_BACK = [
    point for step in reversed(BEFORE_UNDO) if step.undone_by not in (NOTHING, NO_WAY_BACK)
    for point in (f"{step.name}:undoing:after", f"{step.name}:undone:before")
]


@dataclass
class Stand:
    daemon: LocalDaemon
    actors: dict[Place, Actor]
    visitors: Visitors

    @property
    def state(self) -> Path:
        return self.daemon.directory / "var/state/state.db"

    async def die_at(self, point: str, begin: Callable[[], Awaitable[None]] | None = None) -> None:
        """A daemon that goes on until the point.

        Args:
            begin: What it gets to do, when nothing is open yet.
        """
        await self.daemon.stop()
        try:
            await self.daemon.start(LIMIT_SECONDS, module="tests.chaos.doom", environment={VARIABLE: point})
        except DaemonDidNotStart:
            assert f"{LAST_WORDS} {point}" in self.daemon.log_tail(1), self.daemon.log_tail(40)
        if begin is not None:
            await begin()
        await self._until(lambda: self.daemon.running() is None, point)
        assert f"{LAST_WORDS} {point}" in self.daemon.log_tail(1), self.daemon.log_tail(40)

    async def end_well(self) -> None:
        """A daemon that carries out what is open."""
        await self.daemon.start(LIMIT_SECONDS)
        await self._until(lambda: not read_open(self.state), "everything has ended")

    async def _until(self, question: Callable[[], bool], what: str) -> None:
        began = time.monotonic()
        while not question():
            assert time.monotonic() - began < LIMIT_SECONDS, f"{what}\n{self.daemon.log_tail(40)}"
            await asyncio.sleep(0.02)

    def ran(self) -> list[str]:
        folder = self.state.parent
        files = [*folder.glob("caches/*/ran"), *folder.glob("environments/*/*/volumes/app/data/ran")]
        return [line for file in files for line in file.read_text().splitlines()]

    async def wrong(self) -> list[str]:
        """Everything that a storm counts."""
        records = read_records(self.state)
        [orders] = self.state.parent.glob("environments/kill/main-*/volumes/app/data/orders")
        commits = {place: actor.commits for place, actor in self.actors.items()}
        return [
            *lost_activities(records), *hooks_not_once(records, self.ran()),
            *wrong_answers(self.visitors.answers, records, commits),
            *wrong_orders(self.visitors.orders(), {MAIN: orders.read_text().split()}),
            *await ownerless(self.daemon, read_live(self.state)),
        ]


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


async def test_one_push_and_one_delete_end_well_though_the_daemon_is_killed_at_each_step_of_them(stand: Stand) -> None:
    main, side = stand.actors[MAIN], stand.actors[SIDE]
    begin = {WAY[0]: main.push_calm, f"{DELETE.steps[0].name}:started:after": side.delete_only}
    for point in WAY:
        await stand.die_at(point, begin.get(point))
    await stand.end_well()
    push, delete = read_records(stand.state)[-2:]
    assert ((push.state, push.reason), (delete.state, delete.reason)) == (("success", ""), ("success", ""))
    assert await stand.wrong() == []


async def test_a_push_whose_deploy_hook_fails_is_undone_though_the_daemon_is_killed_at_each_step_back(
    stand: Stand,
) -> None:
    for point in WAY_BACK:
        await stand.die_at(point, stand.actors[MAIN].push_bad_deploy if point == WAY_BACK[0] else None)
    await stand.end_well()
    [*_, failed] = read_records(stand.state)
    assert failed.state == "failed"
    assert "deploy hook of app ended with exit code 1" in failed.reason
    assert await stand.wrong() == []
