"""What goes beside a step: done while it runs, failing and undone with it."""

from dataclasses import replace

import pytest

from deployd.activity.table import Parallel
from tests.doubles.activity_world import PUSH, World, doing, undoing

TABLE = replace(PUSH, steps=tuple(
    replace(step, parallel=Parallel(doing("services"), undoing("services"))) if step.name == "build" else step
    for step in PUSH.steps
))


async def executed(script: dict[str, list[str]]) -> tuple[World, str]:
    world = World(script)
    return world, (await world.execute(TABLE)).state


async def test_it_is_done_while_its_step_runs_and_is_not_in_the_journal() -> None:
    world, state = await executed({})
    assert state == "success"
    assert world.calls[:4] == ["plan", "build", "services", "pack"]
    assert "services" in world.made
    assert all(entry.step != "services" for entry in world.journal.entries)


@pytest.mark.looptime
@pytest.mark.parametrize("script", [
    {"services": ["fail"], "build": ["nap"]}, {"build": ["fail"], "services": ["nap"]}, {"services": ["cancel"]},
    {"services": ["over"], "build": ["nap"]}, {"healthy": ["fail"]},
    {"services": ["fail"], "-build": ["fail"], "-services": ["bug", "crash"]},
], ids=str)
async def test_both_are_undone_whichever_fails(script: dict[str, list[str]]) -> None:
    cancelled = script.get("services") == ["cancel"]
    world, state = await executed(script)
    assert state == ("cancelled" if cancelled else "failed")
    assert world.made <= {"plan", "pack", "healthy"}
    assert world.calls.index("-build") < world.calls.index("-services")


@pytest.mark.looptime
async def test_another_try_is_one_of_both() -> None:
    world, state = await executed({"services": ["again"], "build": ["nap"]})
    assert state == "success"
    assert (world.calls.count("build"), world.calls.count("services")) == (2, 2)
    assert world.hook_starts["build"] == 1
