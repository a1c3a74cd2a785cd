"""Slots: never more than there are, every project in its turn, none lost when somebody leaves."""

import asyncio
import random

import pytest

from deployd.activity.slots import Slots

pytestmark = pytest.mark.looptime


async def hold(slots: Slots, project: str, order: list[str], seconds: float = 10) -> None:
    async with slots.hold(project):
        order.append(project)
        await asyncio.sleep(seconds)


async def test_a_busy_project_cannot_starve_the_others() -> None:
    slots, order = Slots(1), []
    async with asyncio.TaskGroup() as group:
        for project in ["busy"] * 6 + ["small"] + ["busy"] * 3 + ["other"] * 2:
            group.create_task(hold(slots, project, order))
    assert order[:6] == ["busy", "busy", "small", "other", "busy", "other"]
    assert len(order) == 12


async def test_as_many_run_at_once_as_there_are_slots() -> None:
    slots, order = Slots(3), []
    async with asyncio.TaskGroup() as group:
        for _ in range(9):
            group.create_task(hold(slots, "shop", order))
        await asyncio.sleep(5)
        assert len(order) == 3
        assert slots.waiting == 6
    assert asyncio.get_running_loop().time() == pytest.approx(30)


async def test_who_must_wait_is_told_so() -> None:
    slots, told = Slots(1), []
    async with slots.hold("shop", lambda: told.append("first")), asyncio.TaskGroup() as group:
        waiting = group.create_task(_wait(slots, told))
        await asyncio.sleep(1)
        waiting.cancel()
    assert told == ["waits"]


async def _wait(slots: Slots, told: list[str]) -> None:
    async with slots.hold("shop", lambda: told.append("waits")):
        raise AssertionError("it was cancelled while it waited")


async def test_a_slot_that_comes_in_the_moment_of_leaving_is_passed_on() -> None:
    slots, order = Slots(1), []
    async with asyncio.TaskGroup() as group:
        first = group.create_task(hold(slots, "a", order))
        second = group.create_task(hold(slots, "b", order))
        third = group.create_task(hold(slots, "c", order))
        await asyncio.sleep(1)
        first.cancel()             # gives its slot to the second …
        await asyncio.sleep(0)
        second.cancel()            # … which leaves before it has noticed
        await asyncio.sleep(1)
        assert order[-1] == "c"
        third.cancel()
    async with asyncio.timeout(1):
        await hold(slots, "d", order, 0)


@pytest.mark.parametrize("seed", range(20))
async def test_no_slot_is_lost_and_none_is_made_whoever_leaves_when(seed: int) -> None:
    chance = random.Random(seed)
    slots, running, most = Slots(3), 0, 0

    async def work(project: str) -> None:
        nonlocal running, most
        async with slots.hold(project):
            running += 1
            most = max(most, running)
            try:
                await asyncio.sleep(chance.choice([0, 0.5, 1]))
            finally:
                running -= 1

    async with asyncio.TaskGroup() as group:
        tasks = [group.create_task(work(f"p{chance.randrange(4)}")) for _ in range(60)]
        for task in chance.sample(tasks, 30):
            task.cancel()
            for _ in range(chance.randrange(3)):
                await asyncio.sleep(chance.choice([0, 0.5]))
    assert most == 3
    async with asyncio.timeout(1), slots.hold("a"), slots.hold("b"), slots.hold("c"):
        assert slots.waiting == 0
