"""The machine against a model of what must hold: random journals for the decision, random worlds for the loop.

No Docker, no waiting: the decision is driven entry by entry, the loop in virtual time with a daemon that dies anywhere.
"""

import asyncio
from datetime import timedelta

import looptime
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from deployd.activity.journal import (
    AGAIN_AT,
    CANCELLATION,
    DONE,
    FAILED,
    IN_DOUBT,
    SKIPPED,
    STARTED,
    STUCK,
    UNDOING,
    UNDONE,
    Journal,
    check_succession,
)
from deployd.activity.machine import Do, Finish, Undo, Wait, next_move, past_the_way_back
from deployd.activity.table import NO_WAY_BACK, NOTHING
from deployd.state.entries import Entry
from tests.doubles.activity_world import PUSH, STARTED_AT, Crash, World

UNDOABLE = [step.name for step in PUSH.steps if step.undone_by not in (NOTHING, NO_WAY_BACK)]
ORDER = {step.name: place for place, step in enumerate(PUSH.steps)}
SWITCH = PUSH.switch
assert SWITCH is not None


class Decisions(RuleBasedStateMachine):
    """Journals as they can come to be; after each entry the next move is judged."""

    def __init__(self) -> None:
        super().__init__()
        self.entries: list[Entry] = []
        self.seconds = 0
        self.way_back_closed_with = -1
        self.undone: list[str] = []

    @property
    def journal(self) -> Journal:
        return Journal(tuple(self.entries))

    def move(self) -> Do | Undo | Finish:
        found = next_move(PUSH, self.journal)
        return found.then if isinstance(found, Wait) else found

    def write(self, step: str, event: str, *, result: str | None = None) -> None:
        check_succession(self.entries, step, event)
        self.seconds += 1
        self.entries.append(Entry(step, event, STARTED_AT + timedelta(seconds=self.seconds), result))

    def ended(self) -> bool:
        return isinstance(self.move(), Finish)

    @precondition(lambda self: not self.ended())
    @rule(outcome=st.sampled_from([DONE, DONE, DONE, FAILED, AGAIN_AT, "crash", "bad undo"]))
    def go_on(self, outcome: str) -> None:
        move = self.move()
        assert not isinstance(move, Finish)
        name = move.step.name
        if isinstance(move, Undo):
            assert not past_the_way_back(PUSH, self.journal), "undone after the switch"
            assert name in UNDOABLE
            assert self.journal.last(name) is not None, "undone, but never started"
            assert not self.undone or ORDER[name] <= ORDER[self.undone[-1]], "not in reverse order"
            self.undone.append(name)
            self.write(name, UNDOING)
            if outcome == "crash":
                return
            self.write(name, STUCK if outcome == "bad undo" else UNDONE)
            return
        assert not self.undone, "something new begins after something was undone"
        before = [step.name for step in PUSH.steps[:ORDER[name]]]
        assert all((last := self.journal.last(other)) and last.event in (DONE, FAILED) for other in before)
        self.write(name, STARTED)
        if outcome == "crash":
            return
        if name == SWITCH and outcome in (AGAIN_AT, "bad undo"):
            outcome = IN_DOUBT
        self.write(name, DONE if outcome == "bad undo" else outcome)

    @precondition(lambda self: self.journal.stuck() is not None)
    @rule()
    def skip(self) -> None:
        stuck = self.journal.stuck()
        assert stuck is not None
        self.write(stuck.step, SKIPPED)

    @rule(kind=st.sampled_from(["cancelled", "superseded"]))
    def cancellation(self, kind: str) -> None:
        self.write("", CANCELLATION, result=kind)

    @invariant()
    def the_same_journal_gives_the_same_answer(self) -> None:
        assert next_move(PUSH, self.journal) == next_move(PUSH, self.journal)

    @invariant()
    def an_end_leaves_nothing_open(self) -> None:
        move = self.move()
        if not isinstance(move, Finish):
            return
        last = {step.name: found.event for step in PUSH.steps if (found := self.journal.last(step.name))}
        if move.state == "success":
            assert last == dict.fromkeys(ORDER, DONE)
        elif past_the_way_back(PUSH, self.journal):
            assert move.state == "failed"
            assert all(event in (DONE, FAILED) for event in last.values())
            assert len(last) == len(ORDER)
        else:
            assert all(event in (UNDONE, SKIPPED) for name, event in last.items() if name in UNDOABLE)
            assert all(f"{name} is not undone" in move.reason for name, event in last.items() if event == SKIPPED)
        if self.journal.failure():
            assert move.state == "failed"

    def teardown(self) -> None:
        """Left alone, with nothing going wrong any more, it ends soon."""
        for _ in range(len(ORDER) * 4):
            move = self.move()
            if isinstance(move, Finish):
                return
            name = move.step.name
            self.write(name, UNDOING if isinstance(move, Undo) else STARTED)
            self.write(name, UNDONE if isinstance(move, Undo) else DONE)
        raise AssertionError("it does not end")


Decisions.TestCase.settings = settings(stateful_step_count=40)
test_decisions_keep_what_must_hold = Decisions.TestCase

MISHAPS = ["", "fail", "bug", "group", "again", "group-again", "over", "nap", "cancel", "supersede", "late", "crash",
           "stray", "own-timeout"]
STEPS = [step.name for step in PUSH.steps]
SCRIPTS = st.dictionaries(
    st.sampled_from([name for name in STEPS if name != SWITCH]), st.lists(st.sampled_from(MISHAPS), max_size=4),
    max_size=4,
)
SWITCHES = st.lists(st.sampled_from(["", "crash", "doubt", "over", "bug", "again", "refused", "late"]), max_size=4)
UNDOS = st.dictionaries(
    st.sampled_from([f"-{name}" for name in UNDOABLE]),
    st.lists(st.sampled_from(["fail", "bug", "over", "crash", "nap"]), max_size=7), max_size=3,
)
DEATHS = st.lists(st.tuples(st.integers(0, 25), st.booleans()), max_size=6)
"""For each start of the daemon: after how many writes it dies, and whether the last of them was durable."""
CANCELLATIONS = st.lists(st.tuples(st.integers(0, 4), st.floats(0, 100)), max_size=2)
"""(which start of the daemon, seconds after it)"""


async def _execute(world: World, deaths: list[tuple[int, bool]], cancellations: list[tuple[int, float]]) -> Finish:
    for start in range(200):
        world.journal.crash_at = deaths[start] if start < len(deaths) else None
        try:
            async with asyncio.TaskGroup() as group:
                asking = [
                    group.create_task(_cancel_after(world, seconds))
                    for which, seconds in cancellations if which == start
                ]
                try:
                    return await world.start_daemon(PUSH)
                finally:
                    for task in asking:
                        task.cancel()
        except BaseExceptionGroup as group_error:
            if not group_error.subgroup(Crash):
                raise
        world.calls.append("!")
    raise AssertionError("it does not end")


async def _cancel_after(world: World, seconds: float) -> None:
    await asyncio.sleep(seconds)
    world.cancel()


@given(script=SCRIPTS, switches=SWITCHES, undos=UNDOS, deaths=DEATHS, cancellations=CANCELLATIONS)
def test_every_activity_ends_and_leaves_what_it_must(
    script: dict[str, list[str]], switches: list[str], undos: dict[str, list[str]], deaths: list[tuple[int, bool]],
    cancellations: list[tuple[int, float]],
) -> None:
    script = {**{name: list(events) for name, events in {**script, **undos}.items()}, "switch": list(switches)}
    world = World(script)
    with asyncio.Runner(loop_factory=looptime.new_event_loop) as runner:
        end = runner.run(_execute(world, deaths, cancellations))
    journal = Journal(tuple(world.journal.entries))

    assert all(count == 1 for count in world.hook_starts.values()), "a hook was started twice"
    calls = [call for call in world.calls if call != "!"]
    undone = [call.removeprefix("-") for call in calls if call.startswith("-")]
    if world.switched:
        assert not undone, "undone after the switch"
        assert end.state in ("success", "failed")
        assert world.made == set(STEPS), "after the switch every step is tried"
    else:
        assert end.state != "success"
        assert not world.made & set(UNDOABLE), "something is left over"
        assert "post" not in calls
    assert undone == sorted(undone, key=ORDER.__getitem__, reverse=True), "not in reverse order"
    if undone:
        first = calls.index(f"-{undone[0]}")
        assert all(call.startswith("-") for call in calls[first:]), "something began after an undo"
    if end.state == "success":
        assert all((last := journal.last(name)) and last.event == DONE for name in STEPS)
    events = [entry.event for entry in world.journal.entries]
    cancellation = events.index(CANCELLATION) if CANCELLATION in events else None
    begun = next((place for place, entry in enumerate(world.journal.entries) if entry.step == SWITCH), None)
    if cancellation is not None and begun is None:
        assert end.state in ("cancelled", "superseded", "failed")
