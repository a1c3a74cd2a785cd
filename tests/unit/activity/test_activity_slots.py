"""Slots: never more than there are, every project in its turn, none lost when somebody leaves."""

import asyncio
import random
from collections import Counter
from pathlib import Path

import pytest

from deployd.activity.memory import HostMemory, Memory, host_memory, read_memory, usable_mb
from deployd.activity.slots import LOOK_AGAIN_SECONDS, NOTHING_MORE, Need, NeverFits, Slots

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


async def test_who_must_wait_is_told_why() -> None:
    slots, told = Slots(1, what="builds"), []
    async with slots.hold("shop", on_wait=told.append), asyncio.TaskGroup() as group:
        waiting = group.create_task(_wait(slots, told))
        await asyncio.sleep(1)
        waiting.cancel()
    assert told == ["all 1 slots for builds are taken"]


async def _wait(slots: Slots, told: list[str]) -> None:
    async with slots.hold("shop", on_wait=told.append):
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


class Host:
    """A host with 4096 MB, of which something is used."""

    def __init__(self, used_mb: int = 0) -> None:
        self.used_mb = used_mb
        self.memory = Memory(4096, lambda: self.used_mb)


BUILD = Need(2048, "the build")


async def work(slots: Slots, project: str, need: Need, done: list[str], told: list[str] | None = None) -> None:
    async with slots.hold(project, need, (told if told is not None else []).append):
        await asyncio.sleep(10)
    done.append(project)


async def test_what_does_not_fit_waits_says_why_and_goes_when_memory_comes_free() -> None:
    host, told, done = Host(used_mb=3196), [], []
    slots = Slots(2, host.memory)
    async with asyncio.TaskGroup() as group:
        group.create_task(work(slots, "shop", BUILD, done, told))
        await asyncio.sleep(100)
        assert told == ["needs 2048 MB for the build, 900 MB are free of 4096 MB"]
        host.used_mb = 2000
        await asyncio.sleep(LOOK_AGAIN_SECONDS + 10.1)
        assert done == ["shop"]


async def test_what_can_never_fit_fails_at_once() -> None:
    with pytest.raises(NeverFits, match="the build needs 5000 MB of memory, and all there can be is 4096 MB"):
        async with Slots(2, Host().memory).hold("shop", Need(5000, "the build")):
            raise AssertionError("it does not fit")


async def test_what_runs_counts_with_what_it_uses_and_what_begins_with_what_it_may_take() -> None:
    host, done = Host(used_mb=1000), []
    slots = Slots(9, host.memory)
    async with asyncio.TaskGroup() as group:
        group.create_task(work(slots, "a", BUILD, done))
        group.create_task(work(slots, "b", BUILD, done))
        await asyncio.sleep(5)
        assert slots.waiting == 1, "the first has not taken its memory yet, but may"
        host.used_mb = 3000     # it has grown, and is not counted twice
        assert host.memory.free_mb() == 4096 - 1000 - 2048
        host.used_mb = 3500     # something else has grown too
        assert host.memory.free_mb() == 596
        host.used_mb = 1200     # the first ends, and 200 MB of it stay: what it deployed
        await asyncio.sleep(6)
        assert slots.waiting == 0
        assert host.memory.free_mb() == 4096 - 1200 - 2048


async def test_an_idle_host_with_many_small_environments_refuses_nothing() -> None:
    host, done = Host(used_mb=1500), []   # 40 environments, whose limits are ten times of that
    await work(Slots(1, host.memory), "shop", BUILD, done)
    assert done == ["shop"]


async def test_something_large_is_not_overtaken_for_ever_by_what_is_small() -> None:
    host, done = Host(used_mb=1000), []
    slots = Slots(9, host.memory)
    async with asyncio.TaskGroup() as group:
        group.create_task(work(slots, "first", BUILD, done))
        await asyncio.sleep(1)
        group.create_task(work(slots, "large", Need(3000, "the build"), done))
        await asyncio.sleep(1)
        told: list[str] = []
        group.create_task(work(slots, "small", Need(64, "the deployment"), done, told))
        await asyncio.sleep(1)
        assert told == ["others come first"]
    assert done == ["first", "large", "small"]


async def test_what_had_its_slot_before_a_restart_waits_for_nothing() -> None:
    host, done = Host(used_mb=4000), []
    slots = Slots(1, host.memory)
    async with asyncio.TaskGroup() as group:
        waiting = group.create_task(work(slots, "new", BUILD, done))
        await asyncio.sleep(1)
        async with slots.hold("frozen", at_once=True), slots.hold("too", at_once=True), asyncio.timeout(1):
            pass
        host.used_mb = 0
        await asyncio.sleep(LOOK_AGAIN_SECONDS)
        assert not waiting.done()
        async with slots.hold("frozen", at_once=True):
            pass
    assert done == ["new"]


async def test_who_waits_and_leaves_lets_the_next_one_go() -> None:
    host, done = Host(used_mb=1000), []
    slots = Slots(9, host.memory)
    async with asyncio.TaskGroup() as group:
        group.create_task(work(slots, "first", BUILD, done))
        await asyncio.sleep(1)
        large = group.create_task(work(slots, "large", Need(3000, "the build"), done))
        small = group.create_task(work(slots, "small", Need(64, "the deployment"), done))
        await asyncio.sleep(1)
        large.cancel()
        await asyncio.sleep(10.5)
        assert small.done()


def test_the_kernel_s_figures_are_read(tmp_path: Path) -> None:
    file = tmp_path / "meminfo"
    file.write_text("MemTotal:   4194304 kB\nMemFree:   100 kB\nMemAvailable:   1048576 kB\nHugePages_Total:   0\n")
    assert read_memory(file) == HostMemory(4096, 1024)
    assert read_memory().total_mb >= read_memory().available_mb > 0
    assert (usable_mb(4096), usable_mb(1024)) == (3687, 768)
    assert host_memory(1000).total_mb == 1000
    assert host_memory(None).free_mb() < read_memory().total_mb


def shared(count: int, share: int, of_production: int = 0) -> Slots:
    return Slots(count, what="builds", share_of=lambda project: share, of_production=of_production)


PRODUCTION = Need(is_production=True)


async def test_a_project_leaves_a_slot_for_the_others_whenever_they_come() -> None:
    slots, order, told = shared(2, 1), [], []
    async with asyncio.TaskGroup() as group:
        for _ in range(12):
            group.create_task(hold(slots, "flood", order, 3600))
        await asyncio.sleep(1000)
        assert (order, slots.taken, slots.waiting) == (["flood"], 1, 11)
        waiting = group.create_task(_wait_in(slots, "flood", told))
        group.create_task(hold(slots, "neighbour", order))
        await asyncio.sleep(1)
        assert order == ["flood", "neighbour"], "an hour of the other's does not concern it"
        waiting.cancel()
    assert told[-1] == "flood has 1 of the 2 slots for builds, which is its share"
    assert len(order) == 13


async def _wait_in(slots: Slots, project: str, told: list[str], need: Need = NOTHING_MORE) -> None:
    async with slots.hold(project, need, told.append):
        raise AssertionError("it was cancelled while it waited")


async def test_production_comes_before_what_else_its_project_has_waiting() -> None:
    slots, order = shared(2, 1), []

    async def work(name: str, need: Need) -> None:
        async with slots.hold("shop", need):
            order.append(name)
            await asyncio.sleep(10)

    async with asyncio.TaskGroup() as group:
        for name in ("a", "b", "main", "c", "main again"):
            group.create_task(work(name, Need(is_production=name.startswith("main"))))
    assert order == ["a", "main", "main again", "b", "c"]


async def test_previews_leave_a_part_of_the_share_to_production() -> None:
    slots, order = shared(4, 3, of_production=1), []
    async with asyncio.TaskGroup() as group:
        for _ in range(5):
            group.create_task(hold(slots, "shop", order, 3600))
        await asyncio.sleep(1)
        assert slots.taken == 2
        async with asyncio.timeout(1), slots.hold("shop", PRODUCTION):
            assert slots.taken == 3
            told: list[str] = []
            more = group.create_task(_wait_in(slots, "shop", told, PRODUCTION))
            await asyncio.sleep(0.1)
            more.cancel()
            assert "which is its share" in told[-1]


async def test_what_has_nothing_to_do_waits_for_nobody() -> None:
    slots, order = shared(1, 1), []
    async with asyncio.TaskGroup() as group:
        group.create_task(hold(slots, "flood", order))
        await asyncio.sleep(1)
        async with asyncio.timeout(1), slots.hold("shop", Need(slot=False)), slots.hold("flood", Need(slot=False)):
            assert slots.taken == 1


@pytest.mark.parametrize("seed", range(10))
async def test_no_project_ever_holds_more_than_its_share_and_all_are_served(seed: int) -> None:
    chance = random.Random(seed)
    slots, running, done = shared(4, 3, of_production=1), Counter[str](), 0

    async def work(project: str, need: Need) -> None:
        nonlocal done
        async with slots.hold(project, need):
            running[project] += 1
            try:
                assert running[project] <= 3
                assert running.total() <= 4
                await asyncio.sleep(chance.choice([0, 0.5, 1]))
                done += 1
            finally:
                running[project] -= 1

    async with asyncio.TaskGroup() as group:
        tasks = [
            group.create_task(work(f"p{chance.randrange(3)}", Need(is_production=chance.random() < 0.3)))
            for _ in range(60)
        ]
        for task in chance.sample(tasks, 20):
            await asyncio.sleep(chance.choice([0, 0.5]))
            task.cancel()
    assert done == sum(not task.cancelled() for task in tasks)
    assert (slots.taken, slots.waiting) == (0, 0)
