"""What stories do not tell of the loop: how long it waits, what it says, what slots it holds, what a stop leaves."""

import asyncio
from dataclasses import dataclass, replace
from datetime import UTC, datetime

import pytest

from deployd.activity.admission import BUILDS, DEPLOYMENTS
from deployd.activity.journal import SKIPPED, STARTED, Journal, check_succession, read_result, write_result
from deployd.activity.limits import Limits
from deployd.activity.memory import Memory
from deployd.activity.runner import visitors_after
from deployd.activity.slots import Need, Slots
from deployd.activity.supervised import supervised
from deployd.activity.table import NO_WAY_BACK, NOTHING, Restart, Step, Visitors
from deployd.ids import ActivityId, CommitId
from deployd.state.entries import Entry
from tests.doubles.activity_world import PUSH, Crash, Gave, World, doing

pytestmark = pytest.mark.looptime


def now() -> float:
    return round(asyncio.get_running_loop().time(), 1)


async def test_another_try_comes_after_pauses_that_double() -> None:
    world = World({"build": ["again", "again"]})
    assert (await world.execute(PUSH)).state == "success"
    assert now() == 30   # 10 + 20
    assert [text for kind, text in world.tell.said if kind == "warn"] == [
        "the registry is away; tried again in 10 s (1 of 4)", "the registry is away; tried again in 20 s (2 of 4)",
    ]


async def test_a_pause_goes_on_where_it_was_after_a_restart() -> None:
    world = World({"build": ["again"]})
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(4):   # the daemon stops
            await world.start_daemon(PUSH)
    await world.execute(PUSH)
    assert now() == 10


async def test_a_cancellation_ends_a_pause_at_once() -> None:
    world = World({"build": ["again"]})
    async with asyncio.TaskGroup() as group:
        running = group.create_task(world.execute(PUSH))
        await asyncio.sleep(4)
        world.cancel()
    assert running.result().state == "cancelled"
    assert now() == 4
    assert world.calls == ["plan", "build", "-build"]


async def test_a_switch_in_doubt_is_tried_with_growing_pauses_as_long_as_it_takes() -> None:
    world = World({"switch": ["doubt"] * 12})
    assert (await world.execute(PUSH)).state == "success"
    assert now() == 1 + 2 + 4 + 8 + 16 + 32 + 6 * 60


async def test_an_undo_is_tried_with_growing_pauses_as_long_as_it_takes() -> None:
    world = World({"hook": ["fail"], "-freeze": ["fail"] * 9})
    assert (await world.execute(PUSH)).reason == "it went wrong"
    assert now() == 5 + 10 + 20 + 40 + 80 + 160 + 3 * 300


async def test_an_undo_that_is_stuck_is_named_until_it_is_done() -> None:
    world = World({"hook": ["fail"], "-freeze": ["fail"]})
    async with asyncio.TaskGroup() as group:
        group.create_task(world.execute(PUSH))
        await asyncio.sleep(4)
        assert world.limits.waits.of(ActivityId(1)) == "cannot undo freeze: it went wrong"
        assert world.limits.waits.stuck == ["activity 1 cannot undo freeze: it went wrong"]
        await asyncio.sleep(2)
    assert world.limits.waits.of(ActivityId(1)) == ""
    assert world.limits.waits.stuck == []


async def test_whoever_wants_to_know_is_told_of_each_undo_that_is_stuck_when_the_journal_has_it() -> None:
    world = World({"hook": ["fail"], "-freeze": ["fail"] * 2})
    await world.execute(PUSH)
    assert world.stuck == ["freeze", "freeze"]


async def test_an_undo_that_is_stuck_is_tried_at_once_when_somebody_says_so() -> None:
    world = World({"hook": ["fail"], "-freeze": ["fail"] * 4})
    async with asyncio.TaskGroup() as group:
        running = group.create_task(world.execute(PUSH))
        await asyncio.sleep(36)   # 5 + 10 + 20; the next one is in 40 seconds
        world.cancellation.nudge()
        await asyncio.sleep(1)
        assert running.result().state == "failed"
    assert world.calls.count("-freeze") == 5


async def test_an_undo_that_is_skipped_is_named_with_who_skipped_it_and_the_rest_is_undone() -> None:
    world = World({"hook": ["cancel"], "-freeze": ["fail"] * 99})
    async with asyncio.TaskGroup() as group:
        running = group.create_task(world.execute(PUSH))
        await asyncio.sleep(3600)
        world.journal.entries.append(Entry("freeze", SKIPPED, world.journal.clock.now(), None, "skipped by ada"))
        world.cancellation.nudge()
        await asyncio.sleep(1)
        assert running.result().state == "cancelled"
    assert running.result().reason == "cancelled by a test; freeze is not undone, skipped by ada"
    assert world.calls[-2:] == ["-apps", "-build"]
    assert "freeze" in world.made


async def test_a_cancellation_does_not_hurry_an_undo_that_is_stuck() -> None:
    world = World({"hook": ["cancel"], "-freeze": ["fail"]})
    assert (await world.execute(PUSH)).state == "cancelled"
    assert now() == 5


async def test_an_undo_that_does_not_end_is_ended() -> None:
    world = World({"hook": ["fail"], "-freeze": ["over"]})
    assert (await world.execute(PUSH)).state == "failed"
    assert any("freeze did not end within 300 s" in error.what for kind, error in world.tell.said if kind == "error")


async def test_a_step_that_overran_is_named_with_its_limit() -> None:
    world = World({"build": ["over"]})
    assert (await world.execute(PUSH)).reason == "the step build did not end within 60 s"
    assert now() == 60


async def test_a_library_s_own_timeout_is_not_the_step_s_limit() -> None:
    world = World({"build": ["own-timeout"]})
    assert "incident" in (await world.execute(PUSH)).reason


async def test_of_several_errors_the_one_that_counts_is_told() -> None:
    world = World({"build": ["group"]})
    assert (await world.execute(PUSH)).reason == "first"


async def test_a_bug_has_a_name_and_no_secret_of_ours_in_its_text() -> None:
    world = World({"build": ["bug"]})
    end = await world.execute(PUSH)
    assert end.reason.startswith("an error of deployd itself (incident ")
    assert "KeyError" not in end.reason


def of_memory(memory: Memory) -> Limits:
    return Limits({BUILDS: Slots(1, memory), DEPLOYMENTS: Slots(1, memory)})


async def test_an_activity_that_waits_for_a_slot_can_be_cancelled() -> None:
    limits = Limits({BUILDS: Slots(1), DEPLOYMENTS: Slots(1)})
    world = World(limits=limits)
    async with limits.pools[BUILDS].hold("other"), asyncio.TaskGroup() as group:
        running = group.create_task(world.execute(PUSH))
        await asyncio.sleep(100)
        assert world.calls == ["plan"]
        world.cancel()
        await asyncio.sleep(1)
        assert running.result().state == "cancelled"
    assert limits.pools[BUILDS].waiting == 0


async def test_slots_are_held_for_building_then_for_deploying_and_given_back_at_every_end() -> None:
    limits = Limits({BUILDS: Slots(1), DEPLOYMENTS: Slots(1)})
    for script in ({"build": ["nap"], "hook": ["nap"]}, {"hook": ["fail"]}, {"build": ["bug"]}):
        first, second = World({**script}, limits=limits), World({**script}, limits=limits)
        async with asyncio.TaskGroup() as group:
            for world in (first, second):
                group.create_task(world.execute(PUSH))
        async with asyncio.timeout(1), limits.pools[BUILDS].hold("x"), limits.pools[DEPLOYMENTS].hold("x"):
            pass
    with pytest.raises(Crash):
        await World({"hook": ["crash"]}, limits=limits).start_daemon(PUSH)
    async with asyncio.timeout(1), limits.pools[BUILDS].hold("x"), limits.pools[DEPLOYMENTS].hold("x"):
        pass


async def test_a_step_that_only_waits_leaves_its_slot_to_others() -> None:
    limits = Limits({BUILDS: Slots(1), DEPLOYMENTS: Slots(1)})
    calm = Step("watch", doing("watch"), NOTHING, 1_000, Visitors.ON_NEW, Restart.AGAIN, gives_slot_back=True)
    world = World({"watch": ["nap"]}, limits=limits)
    async with asyncio.TaskGroup() as group:
        running = group.create_task(world.execute(replace(PUSH, steps=(*PUSH.steps, calm))))
        async with asyncio.timeout(50):
            while "watch" not in world.calls:
                await asyncio.sleep(0.1)
        async with asyncio.timeout(0.1), limits.pools[DEPLOYMENTS].hold("other"):
            assert not running.done()
    assert running.result().state == "success"


async def test_a_build_that_needs_more_memory_than_there_is_waits_and_can_be_cancelled() -> None:
    memory = Memory(4096, lambda: 3000)
    world = World(limits=of_memory(memory), need=Need(2048, "the build"))
    async with asyncio.TaskGroup() as group:
        running = group.create_task(world.execute(PUSH))
        await asyncio.sleep(100)
        assert world.calls == ["plan"]
        waits = "waits: needs 2048 MB for the build, 1096 MB are free of 4096 MB"
        assert world.limits.waits.of(ActivityId(1)) == waits
        assert ("line", waits) in world.tell.said
        world.cancel()
        await asyncio.sleep(1)
        assert running.result().state == "cancelled"
    assert world.limits.waits.of(ActivityId(1)) == ""


async def test_a_build_that_can_never_fit_fails_at_once() -> None:
    memory = Memory(1024, lambda: 0)
    world = World(limits=of_memory(memory), need=Need(2048, "the build"))
    end = await world.execute(PUSH)
    assert (end.state, world.calls) == ("failed", ["plan", "-build"])
    assert end.reason == "the build needs 2048 MB of memory, and all there can be is 1024 MB"
    assert now() == 0


async def test_what_was_begun_before_a_restart_has_its_memory_already() -> None:
    used = [0]
    memory = Memory(4096, lambda: used[0])
    world = World({"hook": ["crash"]}, limits=of_memory(memory),
                  need=Need(1024, "a phase"))
    with pytest.raises(Crash):
        await world.start_daemon(PUSH)
    used[0] = 4000
    assert (await world.execute(PUSH)).state == "success"
    assert now() == 0


async def test_a_build_does_not_hold_up_deployments() -> None:
    limits = Limits({BUILDS: Slots(1), DEPLOYMENTS: Slots(1)})
    slow, quick = World({"hook": ["nap"]}, limits=limits), World({"build": ["nap"]}, limits=limits)
    async with asyncio.TaskGroup() as group:
        for world in (slow, quick):
            group.create_task(world.execute(PUSH))
    assert now() == 10


async def test_a_stop_leaves_the_activity_where_it_was() -> None:
    world = World({"hook": ["nap"]})
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(4):
            await world.start_daemon(PUSH)
    last = world.journal.entries[-1]
    assert (last.step, last.event) == ("hook", STARTED)
    assert not any(call.startswith("-") for call in world.calls)
    assert (await world.execute(PUSH)).state == "success"
    assert world.hook_starts["hook"] == 1


async def test_too_late_is_known_from_the_switch_on() -> None:
    world = World({"hook": ["nap"], "post": ["nap"]})
    async with asyncio.TaskGroup() as group:
        group.create_task(world.execute(PUSH))
        await asyncio.sleep(5)
        assert not world.cancellation.too_late
        await asyncio.sleep(10)
        assert world.cancellation.too_late


def test_what_visitors_see_is_told_from_the_journal() -> None:
    at = datetime(2026, 1, 1, tzinfo=UTC)
    assert "version before" in visitors_after(PUSH, Journal())
    assert "new version" in visitors_after(PUSH, Journal((
        Entry("switch", "started", at), Entry("switch", "done", at), Entry("post", "failed", at),
    )))
    assert "version before" in visitors_after(PUSH, Journal((
        Entry("switch", "started", at), Entry("switch", "failed", at),
    )))


@dataclass(frozen=True)
class Inner:
    commits: tuple[CommitId, ...]
    at: datetime


@dataclass(frozen=True)
class Outer:
    inner: Inner | None
    counts: dict[str, int]


def test_a_result_is_read_back_as_the_type_that_it_was() -> None:
    value = Outer(Inner((CommitId("a"),), datetime(2026, 1, 1, tzinfo=UTC)), {"x": 1})
    assert read_result(write_result(value), Outer) == value
    at = datetime(2026, 1, 1, tzinfo=UTC)
    journal = Journal((Entry("a", "done", at, write_result(value)), Entry("b", "done", at, write_result(Gave("b")))))
    assert journal.result("a", Outer) == value
    assert journal.result("b", Gave) == Gave("b")
    with pytest.raises(LookupError, match="c has given nothing"):
        journal.result("c", Gave)


@pytest.mark.parametrize(("before", "event"), [
    ([], "done"), ([], "undoing"), (["started", "done"], "started"), (["started", "failed"], "done"),
    (["started", "undoing", "undone"], "started"), (["started", "in_doubt"], "undoing"),
    (["started", "done"], "skipped"),
])
def test_an_entry_that_must_not_follow_is_refused(before: list[str], event: str) -> None:
    at = datetime(2026, 1, 1, tzinfo=UTC)
    with pytest.raises(AssertionError, match="must not follow"):
        check_succession([Entry("step", earlier, at) for earlier in before], "step", event)


def test_a_table_without_phases_is_a_table() -> None:
    names = [step.name for step in PUSH.without("build", "slug").steps]
    assert names == ["plan", "apps", "freeze", "hook", "healthy", "switch", "post", "retire"]
    assert PUSH.switch == "switch"
    assert PUSH.without("route").switch is None
    assert PUSH.step("switch").undone_by is NO_WAY_BACK


async def test_what_ends_or_fails_is_started_again_after_growing_pauses() -> None:
    starts: list[float] = []

    async def once() -> None:
        starts.append(now())
        if len(starts) == 3:
            return
        if len(starts) == 5:
            await asyncio.sleep(100)   # it lived long: the pauses begin anew
        raise OSError("away")

    with pytest.raises(TimeoutError):
        async with asyncio.timeout(200):
            await supervised("test", once, first_seconds=1, longest_seconds=8)
    assert starts[:7] == [0, 1, 3, 7, 15, 116, 118]
