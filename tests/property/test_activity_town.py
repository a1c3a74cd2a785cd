"""Lanes, loop, machine, slots and rows together, with random events: pushes, cancels, operators, steps and undos that
fail, a disk that is full, and a daemon that dies at any write or moment. No Docker, virtual time."""

from __future__ import annotations

import asyncio
from contextlib import suppress

import looptime
from hypothesis import given, settings
from hypothesis import strategies as st

from deployd.activity.journal import DONE
from deployd.activity.lanes import NothingStuck, TooLate
from deployd.errors import DeployError
from deployd.state import activities
from tests.doubles.activity_world import Crash
from tests.doubles.town import TABLE, Fates, Town, switched

LANES = [("shop", "main"), ("shop", "dev"), ("blog", "main")]
EVENTS = st.tuples(
    st.floats(0, 40),
    st.sampled_from(["push", "push", "push", "redeploy", "cancel", "skip", "retry", "kill"]),
    st.integers(0, 2),
)
"""(seconds after the one before, what, which lane or open activity)"""
FATES = st.builds(
    Fates,
    steps=st.lists(st.sampled_from(["", "", "", "fail", "bug", "again", "over", "nap"]), max_size=40),
    undos=st.lists(st.sampled_from(["", "", "fail", "bug", "over", "nap"]), max_size=15),
    switches=st.lists(st.sampled_from(["", "lost", "unanswered", "refused"]), max_size=6),
    writes=st.lists(st.sampled_from(["", "", "", "", "", "die", "die after", "full"]), max_size=60),
)
CALM_SECONDS = 4 * 3600
"""An hour is the longest pause; a hook's limit comes on top."""


async def live_through(town: Town, events: list[tuple[float, str, int]]) -> None:
    """A daemon for as long as it lives, then the next one, until nothing more is to come and all is calm."""
    waiting = list(events)
    while True:
        lanes = town.open_lanes()

        async def live(lanes=lanes) -> None:
            while waiting:
                seconds, what, which = waiting.pop(0)
                await asyncio.sleep(seconds)
                if what == "kill":
                    raise Crash
                if what in ("push", "redeploy"):
                    await town.push(LANES[which], what)
                    lanes.wake()
                elif (there := activities.open_ones(town.store.db)):
                    number = there[which % len(there)].id
                    with suppress(TooLate, NothingStuck, DeployError):
                        await {"cancel": lanes.cancel, "skip": lanes.skip_undo}[what](number, "ann") \
                            if what != "retry" else await lanes.retry_undo(number)
            await asyncio.sleep(CALM_SECONDS / 2)
            town.fates.use_up()
            await asyncio.sleep(CALM_SECONDS)

        try:
            async with asyncio.TaskGroup() as group:
                serving = group.create_task(lanes.serve())
                await live()
                serving.cancel()
        except BaseExceptionGroup as error:
            if not error.subgroup(Crash) or error.subgroup(AssertionError):
                raise
        except Crash:
            pass
        else:
            return


@settings(deadline=None)
@given(events=st.lists(EVENTS, min_size=1, max_size=14), fates=FATES, overtakes=st.booleans())
def test_whatever_happens_every_activity_ends_and_visitors_are_where_the_journals_say(
    events: list[tuple[float, str, int]], fates: Fates, overtakes: bool,
) -> None:
    town = Town(Fates(list(fates.steps), list(fates.undos), list(fates.switches), list(fates.writes)), overtakes)
    try:
        with asyncio.Runner(loop_factory=looptime.new_event_loop) as runner:
            runner.run(live_through(town, events))
        judge(town)
    finally:
        town.store.close()


def judge(town: Town) -> None:
    """What must hold when all has ended."""
    town.check()
    assert town.wrong == []
    everything = town.all()
    assert {item.state for item in everything} <= {"success", "failed", "cancelled", "superseded"}
    assert town.held == {}, "visitors are held for ever"
    assert +town.working == {}
    for lane in LANES:
        mine = [item for item in everything if item.environment == lane]
        went_live = [item.id for item in mine if switched(town, item.id)]
        assert town.live.get(lane) == (went_live[-1] if went_live else None)
        for item in mine:
            journal = town.journal(item.id)
            if item.state == "success":
                assert all(journal.count(step.name, DONE) for step in TABLE.steps)
            if item.state in ("cancelled", "superseded"):
                assert item.id not in went_live, "a cancellation after the switch"
            if item.state == "superseded":
                assert any(other.id > item.id and other.kind == "push" for other in mine)
                assert item.kind == "push"
                assert journal.last("freeze") is None, "overtaken when visitors had noticed it"
            skipped = {entry.step for entry in journal.entries if entry.event == "skipped"}
            if item.id not in went_live:
                left = town.made[item.id] & {"build", "apps", "freeze", "hook"}
                assert left <= skipped, f"{left} of activity {item.id} is left over"
