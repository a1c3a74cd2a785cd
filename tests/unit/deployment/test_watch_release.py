"""When a bad release is to be taken back, and why it stays; what is asked before the switch, and when."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from deployd.activity.journal import DONE, STARTED, write_result
from deployd.deployment.check import ask_before_freeze, judge_release, watch_release
from deployd.deployment.checking import BadRelease, ask_before_switch, watched_while
from deployd.deployment.mode import Mode, Target
from deployd.deployment.results import AskedBefore, ServicesUp, Watched
from deployd.engine.observed import ExecResult
from deployd.project.model import Checks, SmokeTest
from deployd.project.reader import read_project
from deployd.release.checks.before_switch import SmokeTestFailed
from deployd.release.paths import Places
from deployd.settings import Settings
from deployd.state.entries import Entry
from deployd.state.locks import Lock
from tests.doubles.activity_world import QuietTell
from tests.doubles.trees import DictTree
from tests.unit.deployment.test_deployment_decisions import APP, NOW, OLD, deployment, version

pytestmark = pytest.mark.looptime
FAILS = SmokeTest("queue", command="false", before_switch=True)
REVERT = Checks((FAILS,), 60, "revert")
PUSH = Mode(Target.COMMIT, may_be_reverted=True)


class World:
    """A host whose only smoke test ends as it is told."""

    def __init__(self, folder: Path, checks: Checks, *, status: int = 1) -> None:
        self.status, self.asked, self.bad, self.locked, self.waits = status, 0, False, False, ""
        config = read_project(DictTree({".platform.app.yaml": APP})).config
        assert config is not None
        self.result = SimpleNamespace(config=replace(config, checks=checks), warnings=())
        self.settings = Settings.model_validate({"projects": {"shop": {}}, "answer_seconds": 8})
        self.places = Places(folder, folder)
        self.clock = SimpleNamespace(now=lambda: NOW + timedelta(seconds=100))
        self.code = self.engine = self.facts = self
        self.router, self.catalogue = None, None

    async def read(self, *_: Any) -> Any:
        return self.result

    async def containers(self, *_: Any) -> list[Any]:
        return []

    async def execute(self, *_: Any, **__: Any) -> ExecResult:
        self.asked += 1
        return ExecResult(self.status, b"", b"")

    async def is_bad(self, activity: int) -> bool:
        return self.bad and activity == OLD

    async def lock(self, environment: Any) -> Lock | None:
        return Lock(environment, "grace", "the sale", NOW) if self.locked else None

    async def waiting_behind(self, *_: Any) -> str:
        return self.waits


def switched(mode: Mode = PUSH, slug: str = "a", first: bool = False, *more: Entry) -> Any:
    found = deployment(None if first else version(OLD, slug), ("freeze", STARTED), ("switch", STARTED))
    return replace(found, mode=mode, journal=replace(found.journal, entries=(*found.journal.entries, *more)))


async def watch(world: World, made: Any) -> Watched:
    host: Any = world
    tell: Any = QuietTell()
    return await watch_release(made, host, tell)


async def test_a_bad_push_goes_back_to_what_was_live_before(tmp_path: Path) -> None:
    world = World(tmp_path, REVERT)
    found = await watch(world, switched())
    assert (found.verdict, found.stays, found.back_to) == ("bad", "", OLD)
    assert found.said.startswith("the smoke test queue failed 3 times in a row")
    made = switched(PUSH, "a", False, Entry("watch_release", DONE, NOW, write_result(found)))
    nobody: Any = None
    with pytest.raises(BadRelease, match="a bad release: the smoke test queue"):
        await judge_release(made, nobody, nobody)


@pytest.mark.parametrize(("change", "made", "stays"), [
    ({"checks": Checks((FAILS,))}, {}, "on_bad_release is report"),
    ({}, {"mode": Mode(Target.EARLIER)}, "what somebody asked for by name is not taken back"),
    ({}, {"mode": Mode(Target.LIVE)}, "what somebody asked for by name is not taken back"),
    ({}, {"first": True}, "there is no version before"),
    ({}, {"slug": "b"}, "the version before is the same"),
    ({"bad": True}, {}, f"the version before (activity {OLD}) was a bad release too"),
    ({"locked": True}, {}, "main is locked by grace since 2026-03-02 00:00 UTC: the sale"),
])
async def test_a_bad_release_stays_where_taking_it_back_would_be_wrong(
    tmp_path: Path, change: dict[str, Any], made: dict[str, Any], stays: str,
) -> None:
    world = World(tmp_path, change.pop("checks", REVERT))
    for name, value in change.items():
        setattr(world, name, value)
    found = await watch(world, switched(**made))
    assert (found.verdict, found.stays, found.back_to) == ("bad", stays, None)


async def test_what_nobody_named_costs_nothing_and_what_is_well_is_said_to_be(tmp_path: Path) -> None:
    world = World(tmp_path, Checks())
    assert (await watch(world, switched())).verdict == "unwatched"
    assert world.asked == 0
    assert (await watch(World(tmp_path, REVERT, status=0), switched())).verdict == "good"


async def before_freeze(world: World, made: Any) -> AskedBefore:
    host: Any = world
    tell: Any = QuietTell()
    return await ask_before_freeze(made, host, tell)


async def test_a_release_that_fails_before_the_switch_is_refused_after_three_answers(tmp_path: Path) -> None:
    world = World(tmp_path, REVERT)
    with pytest.raises(SmokeTestFailed, match="the smoke test queue fails before the switch") as caught:
        await before_freeze(world, switched())
    assert world.asked == 3
    assert "before the deploy hook has run" in caught.value.hint


@pytest.mark.parametrize(("more", "made"), [
    ((), {"first": True}), ((Entry("start_services", DONE, NOW, write_result(ServicesUp((), ("db",)))),), {}),
])
async def test_where_it_cannot_be_asked_yet_it_is_asked_right_before_the_switch(
    tmp_path: Path, more: tuple[Entry, ...], made: dict[str, Any],
) -> None:
    world = World(tmp_path, REVERT)
    waits = switched(PUSH, "a", made.get("first", False), *more)
    asked = await before_freeze(world, waits)
    assert (asked.asked, world.asked) == (False, 0)
    later: Any = switched(PUSH, "a", False, Entry("ask_before_freeze", DONE, NOW, write_result(asked)))
    host: Any = world
    tell: Any = QuietTell()
    with pytest.raises(SmokeTestFailed):
        await ask_before_switch(later, host, tell)
    assert world.asked == 3
    assert asyncio.get_running_loop().time() < 5, "visitors are held"


async def test_a_version_that_was_live_is_not_kept_from_coming_back(tmp_path: Path) -> None:
    world = World(tmp_path, REVERT)
    assert (await before_freeze(world, switched(Mode(Target.EARLIER)))).asked
    assert world.asked == 0


async def test_a_hook_that_takes_long_is_not_waited_for_when_the_release_is_bad(tmp_path: Path) -> None:
    ended: list[str] = []

    async def hook() -> None:
        try:
            await asyncio.sleep(3_000)
        finally:
            ended.append("hook")

    host: Any = World(tmp_path, REVERT)
    tell: Any = QuietTell()
    with pytest.raises(BadRelease):
        await watched_while(switched(), host, tell, hook())
    assert (ended, asyncio.get_running_loop().time() < 10) == (["hook"], True)
    well: Any = World(tmp_path, REVERT, status=0)
    await watched_while(switched(), well, tell, asyncio.sleep(50))
