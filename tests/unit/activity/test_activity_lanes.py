"""Lanes in virtual time: who runs beside whom, who waits, who is cancelled, and what a restart takes up again."""

import asyncio
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager

import pytest

from deployd.activity.cancellation import Cancellation, CancellationCame
from deployd.activity.interventions import EndsAlready
from deployd.activity.journal import Journal
from deployd.activity.lanes import Lanes, NothingStuck, TooLate
from deployd.activity.table import TableUnknown
from deployd.deployment.kinds import KINDS
from deployd.ids import ActivityId, CommitId, EnvironmentId
from deployd.state import activities, entries
from deployd.state.activities import Activity, NewActivity, Trigger
from deployd.state.entries import Entry
from tests.doubles.activity_world import LoopClock
from tests.doubles.store import MemoryStore

pytestmark = pytest.mark.looptime
SECONDS = 10


class Deployments:
    """Carries activities: each takes ten seconds, and can be cancelled."""

    def __init__(self, store: MemoryStore) -> None:
        self.store = store
        self.clock = LoopClock()
        self.lanes = Lanes(store, self.execute, self.clock)  # type: ignore[arg-type]
        self.diary: list[tuple[float, str]] = []
        self.mishap: Callable[[Activity], None] = lambda activity: None
        self.may_end = True

    async def execute(self, activity: Activity, cancellation: Cancellation) -> None:
        self.note(f"{activity.id} begins")
        self.mishap(activity)
        if not await self.store.write(lambda db: activities.begin(db, activity.id, self.clock.now())):
            return
        state: activities.State = "success"
        try:
            async with cancellation.limit(None, may_end=self.may_end):
                await asyncio.sleep(SECONDS)
        except CancellationCame:
            state = "cancelled"
        await self.store.write(lambda db: activities.finish(db, activity.id, state, "", self.clock.now()))
        self.note(f"{activity.id} {state}")

    def note(self, text: str) -> None:
        self.diary.append((round(asyncio.get_running_loop().time(), 1), text))

    async def push(self, project: str, environment: str, kind: str = "push") -> ActivityId:
        new = NewActivity(KINDS[kind], EnvironmentId.read(f"{project}/{environment}"), environment, CommitId("c" * 40),
                          Trigger("ann", "git"))
        number: ActivityId = await self.store.write(lambda db: activities.enqueue(db, new, self.clock.now()))
        self.lanes.wake()
        return number

    async def state(self, activity: ActivityId) -> str:
        found: Activity = await self.store.read(lambda db: activities.find(db, activity))
        return found.state

    @asynccontextmanager
    async def daemon(self) -> AsyncIterator[None]:
        async with asyncio.TaskGroup() as group:
            serving = group.create_task(self.lanes.serve())
            yield
            serving.cancel()


@pytest.fixture
def deployments() -> Iterator[Deployments]:
    store = MemoryStore()
    yield Deployments(store)
    store.close()


async def test_environments_run_side_by_side_and_one_environment_in_turn(deployments: Deployments) -> None:
    one, two = await deployments.push("shop", "main"), await deployments.push("shop", "main", "redeploy")
    other = await deployments.push("shop", "dev")
    async with deployments.daemon():
        await asyncio.sleep(100)
    assert sorted(deployments.diary) == sorted([
        (0, f"{one} begins"), (0, f"{other} begins"), (10, f"{one} success"), (10, f"{other} success"),
        (10, f"{two} begins"), (20, f"{two} success"),
    ])


async def test_a_newer_push_supersedes_those_that_wait_but_not_the_one_under_way(deployments: Deployments) -> None:
    async with deployments.daemon():
        first = await deployments.push("shop", "main")
        await asyncio.sleep(5)
        second, third = await deployments.push("shop", "main"), await deployments.push("shop", "main")
        await asyncio.sleep(100)
    states = [await deployments.state(number) for number in (first, second, third)]
    assert states == ["success", "superseded", "success"]
    found: Activity = await deployments.store.read(lambda db: activities.find(db, second))
    assert str(third) in found.reason


async def test_a_newer_push_ends_the_one_under_way_where_that_is_wanted(deployments: Deployments) -> None:
    asked: list[ActivityId] = []

    def may_be_overtaken(activity: Activity, journal: Journal) -> bool:
        asked.append(activity.id)
        return activity.environment.name == "main"

    deployments.lanes = Lanes(deployments.store, deployments.execute, deployments.clock, may_be_overtaken)  # type: ignore[arg-type]
    async with deployments.daemon():
        first, kept = await deployments.push("shop", "main"), await deployments.push("shop", "dev")
        await asyncio.sleep(3)
        await deployments.push("shop", "dev")
        again = await deployments.push("shop", "dev", "redeploy")
        second = await deployments.push("shop", "main")
        await asyncio.sleep(1)
        assert await deployments.state(first) == "cancelled"   # the double has no other ending
        await asyncio.sleep(100)
    journal = await deployments.store.read(lambda db: entries.of_activity(db, first))
    assert [(entry.event, entry.result, entry.said) for entry in journal] == [
        ("wish", "superseded", f"a newer push came: activity {second}"),
    ]
    assert [await deployments.state(number) for number in (second, kept, again)] == ["success"] * 3
    assert set(asked) == {first, kept}


async def test_what_comes_while_nothing_runs_begins_at_once(deployments: Deployments) -> None:
    async with deployments.daemon():
        await asyncio.sleep(1000)
        number = await deployments.push("shop", "main")
        await asyncio.sleep(1)
        assert deployments.diary == [(1000, f"{number} begins")]
        await asyncio.sleep(100)


async def test_a_restart_goes_on_with_what_ran_before_what_waited(deployments: Deployments) -> None:
    waiting, running = await deployments.push("shop", "a"), await deployments.push("shop", "b")
    await deployments.store.write(lambda db: activities.begin(db, running, deployments.clock.now()))
    async with deployments.daemon():
        await asyncio.sleep(1)
    assert [text for _, text in deployments.diary] == [f"{running} begins", f"{waiting} begins"]
    assert await deployments.state(running) == "in_progress"   # the daemon stopped: the row stays open
    async with deployments.daemon():
        await asyncio.sleep(100)
    assert [await deployments.state(number) for number in (waiting, running)] == ["success", "success"]


async def test_who_waits_is_cancelled_at_once_and_never_begins(deployments: Deployments) -> None:
    async with deployments.daemon():
        first = await deployments.push("shop", "main")
        await asyncio.sleep(1)
        second = await deployments.push("shop", "main", "redeploy")
        assert await deployments.lanes.cancel(second, "ann")
        assert await deployments.state(second) == "cancelled"
        await asyncio.sleep(100)
        assert not await deployments.lanes.cancel(second, "ann")
    assert [text for _, text in deployments.diary] == [f"{first} begins", f"{first} success"]


async def test_who_runs_gets_the_cancellation_into_the_journal_and_ends(deployments: Deployments) -> None:
    async with deployments.daemon():
        number = await deployments.push("shop", "main")
        await asyncio.sleep(3)
        assert await deployments.lanes.cancel(number, "ann")
        with pytest.raises(EndsAlready, match=f"activity {number} ends already, since .*: cancelled by ann"):
            await deployments.lanes.cancel(number, "bob")
        await asyncio.sleep(1)
    assert deployments.diary == [(0, f"{number} begins"), (3, f"{number} cancelled")]
    journal = await deployments.store.read(lambda db: entries.of_activity(db, number))
    assert (journal[0].event, journal[0].said) == ("wish", "cancelled by ann")


async def test_a_cancel_while_an_activity_begins_is_never_lost(deployments: Deployments) -> None:
    for ticks in range(12):
        async with deployments.daemon():
            number = await deployments.push("shop", f"b{ticks}")
            for _ in range(ticks):
                await asyncio.sleep(0)
            assert await deployments.lanes.cancel(number, "ann")
            await asyncio.sleep(1)
            journal = await deployments.store.read(lambda db, n=number: entries.of_activity(db, n))
            assert await deployments.state(number) == "cancelled" or [entry.event for entry in journal] == ["wish"]
            await asyncio.sleep(100)


async def test_a_cancel_of_a_row_that_no_lane_has_taken_up_yet_goes_to_the_journal(deployments: Deployments) -> None:
    number = await deployments.push("shop", "main")
    await deployments.store.write(lambda db: activities.begin(db, number, deployments.clock.now()))
    assert await deployments.lanes.cancel(number, "ann")
    assert await deployments.state(number) == "in_progress"   # what it began has to be undone first
    journal = await deployments.store.read(lambda db: entries.of_activity(db, number))
    assert [entry.event for entry in journal] == ["wish"]


async def test_a_cancel_after_the_switch_is_refused(deployments: Deployments) -> None:
    deployments.may_end = False
    async with deployments.daemon():
        number = await deployments.push("shop", "main")
        await asyncio.sleep(3)
        with pytest.raises(TooLate):
            await deployments.lanes.cancel(number, "ann")
        await asyncio.sleep(100)
    assert await deployments.state(number) == "success"


async def test_only_an_undo_that_is_stuck_is_retried_or_skipped_and_the_journal_has_the_name(
    deployments: Deployments,
) -> None:
    async with deployments.daemon():
        number = await deployments.push("shop", "main")
        await asyncio.sleep(3)
        for asked in (deployments.lanes.retry_undo(number), deployments.lanes.skip_undo(number, "ann")):
            with pytest.raises(NothingStuck):
                await asked
        for event in ("started", "undoing", "stuck"):
            await deployments.store.write(
                lambda db, event=event: entries.append(db, number, Entry("freeze", event, deployments.clock.now())),
            )
        await deployments.lanes.retry_undo(number)
        await deployments.lanes.skip_undo(number, "ann")
        with pytest.raises(NothingStuck, match="is stuck: freeze was skipped by ann at "):
            await deployments.lanes.skip_undo(number, "bob")
        await asyncio.sleep(100)
    journal = await deployments.store.read(lambda db: entries.of_activity(db, number))
    assert (journal[-1].step, journal[-1].event, journal[-1].said) == ("freeze", "skipped", "skipped by ann")


async def test_a_lane_that_fails_is_tried_again_and_the_others_go_on(deployments: Deployments) -> None:
    fails = 2

    def mishap(activity: Activity) -> None:
        nonlocal fails
        if activity.environment.name == "main" and fails:
            fails -= 1
            raise OSError("disk full")

    deployments.mishap = mishap
    bad, good = await deployments.push("shop", "main"), await deployments.push("shop", "dev")
    async with deployments.daemon():
        await asyncio.sleep(2.5)
        assert [await deployments.state(number) for number in (bad, good)] == ["pending", "in_progress"]
        await asyncio.sleep(100)
    assert await deployments.state(bad) == "success"
    assert [when for when, text in deployments.diary if text == f"{bad} begins"] == [0, 1, 3]


async def test_a_row_of_a_newer_deployd_is_left_alone_and_named(deployments: Deployments) -> None:
    def mishap(activity: Activity) -> None:
        if activity.environment.name == "main":
            raise TableUnknown(f"activity {activity.id} was begun by a newer deployd")

    deployments.mishap = mishap
    new = await deployments.push("shop", "main")
    async with deployments.daemon():
        await asyncio.sleep(100)
        other = await deployments.push("shop", "dev")
        await asyncio.sleep(100)
    assert [text for _, text in deployments.diary] == [f"{new} begins", f"{other} begins", f"{other} success"]
    assert list(deployments.lanes.left_alone) == [("shop", "main")]
    assert await deployments.state(new) == "pending"


async def test_a_lane_cancelled_before_its_first_step_runs_at_the_next_start(deployments: Deployments) -> None:
    number = await deployments.push("shop", "main")
    for ticks in range(20):   # some of these stops come between making the lane and its first step
        async with asyncio.TaskGroup() as group:
            serving = group.create_task(deployments.lanes.serve())
            for _ in range(ticks):
                await asyncio.sleep(0)
            serving.cancel()
    async with deployments.daemon():
        await asyncio.sleep(100)
    assert await deployments.state(number) == "success"
