"""The loop that takes an activity from step to step: intent is durable before the act, the outcome after it.

One of the three places that catch every exception (the others are `supervised.py` and `error_boundary.py`): an expected
error is told, anything else is a bug of deployd, and is told as one. Whatever happens here, the journal says it, and
`next_move` decides what follows.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, ClassVar

from deployd.activity import parallel
from deployd.activity.cancellation import Cancellation, CancellationCame, Hold, TimeOver
from deployd.activity.incidents import as_transient, explain, unwrap
from deployd.activity.journal import (
    AGAIN_AT,
    CANCELLATION,
    DONE,
    FAILED,
    IN_DOUBT,
    STARTED,
    STUCK,
    UNDOING,
    UNDONE,
    Journal,
    write_result,
)
from deployd.activity.journal_store import JournalStore
from deployd.activity.lease import Lease
from deployd.activity.limits import Limits
from deployd.activity.log import Tell
from deployd.activity.machine import Finish, Undo, Wait, next_move, past_the_way_back
from deployd.activity.slots import NeverFits
from deployd.activity.table import NO_WAY_BACK, Step, Table, Visitors
from deployd.clock import Clock
from deployd.errors import DeployError, Transient
from deployd.state.activities import Activity
from deployd.state.entries import HELD

TRIES = 5
UNDO_AGAIN_SECONDS = 5.0
DOUBT_AGAIN_SECONDS = 1.0
LONGEST_PAUSE_SECONDS = 60.0
"""Pauses double from try to try, up to this."""
LONGEST_PAUSE_OF_AN_UNDO_SECONDS = 300.0
LONGEST_WAIT_SECONDS = 3600.0


class Overran(DeployError):
    """A step did not end in its time."""

    code: ClassVar[str] = "step-overran"


async def _nothing_more(journal: Journal) -> None:
    """What is done, when nobody says otherwise, when an undo is stuck."""


@dataclass(frozen=True)
class Run:
    """Everything that running one activity needs."""

    activity: Activity
    table: Table[Any, Any]
    host: Any
    view_of: Callable[[Activity, Journal], Any]
    journal: JournalStore
    cancellation: Cancellation
    tell: Tell
    limits: Limits
    clock: Clock
    when_stuck: Callable[[Journal], Coroutine[Any, Any, None]] = _nothing_more
    """Done while an undo that is stuck waits for its next try. Raises nothing that it can help."""


async def run(run: Run) -> Finish:
    """Run an activity to its end; may be called again after any crash."""
    phase, began = "", run.clock.now()
    async with Lease(run.activity, run.table, run.limits, run.tell) as lease:
        while True:
            journal = await run.journal.read()
            run.cancellation.too_late = past_the_way_back(run.table, journal)
            move = next_move(run.table, journal)
            if isinstance(move, Finish):
                return move
            if isinstance(move, Wait):
                if not await _waited(run, move):
                    continue   # a cancellation came; the journal has it
                move = move.then
            if isinstance(move, Undo):
                await _undo(run, move.step, journal)
                continue
            if move.step.phase != phase:
                if phase:
                    _tell_seconds(run, phase, began)
                phase = move.step.phase
                began = _begin_of(run, phase, journal)
                run.tell.phase(phase, at_once=phase not in run.table.late_phases)
            if await _has_room(run, lease, move.step, journal):
                await _do(run, move.step, journal)


async def _has_room(run: Run, lease: Lease, step: Step, journal: Journal) -> bool:
    """Wait for what the step needs. False: a cancellation came, or it can never have it; the journal says which."""
    if step.gives_slot_back:
        await lease.give_back()
    try:
        async with run.cancellation.limit(None, may_end=not run.cancellation.too_late):
            if step.admission is not None and not lease.has(step):
                view = run.view_of(run.activity, journal)
                await lease.ensure(step, journal, step.admission.need(view, run.host, run.limits.memory_mb))
    except CancellationCame:
        return False
    except NeverFits as error:
        await run.journal.write(step.name, STARTED)
        await _failed(run, step, error, journal)
        return False
    return True


async def _do(run: Run, step: Step, journal: Journal) -> None:
    final = step.undone_by is NO_WAY_BACK
    may_end = not final and not past_the_way_back(run.table, journal)
    await run.journal.write(step.name, STARTED)   # intent: durable before the act
    try:
        async with run.cancellation.limit(step.limit_seconds, may_end=may_end):
            result = write_result(await parallel.do(step, run.view_of(run.activity, journal), run.host, run.tell))
    except CancellationCame:
        return   # the cancellation is in the journal already
    except Hold as hold:
        await run.journal.write("", CANCELLATION, result=HELD, said=run.tell.clean(str(hold)))
    except TimeOver:
        await _failed(run, step, _overran(step, step.limit_seconds), journal)
    except Exception as error:   # noqa: BLE001  the boundary of steps: expected errors are told, bugs get an incident
        await _judge(run, step, unwrap(error), journal)
    except asyncio.CancelledError as error:
        if _is_stopping():
            raise
        await _judge(run, step, error, journal)   # a library cancelled itself: a failure like any other
    else:
        await run.journal.write(step.name, DONE, result=result)


async def _judge(run: Run, step: Step, error: BaseException, journal: Journal) -> None:
    again = as_transient(error)
    if again is not None and step.undone_by is not NO_WAY_BACK and journal.count(step.name, AGAIN_AT) < TRIES - 1:
        await _again(run, step, again, journal)
    else:
        await _failed(run, step, again.error if again else error, journal)


async def _failed(run: Run, step: Step, error: BaseException, journal: Journal) -> None:
    told = explain(error, run.activity.id, _words(step))
    if step.undone_by is NO_WAY_BACK and not getattr(error, "certainly_not_done", False):
        # The switch: only a certain "nothing was switched" is a failure; every other end is looked into and done again.
        seconds = min(DOUBT_AGAIN_SECONDS * 2 ** journal.count(step.name, IN_DOUBT), LONGEST_PAUSE_SECONDS)
        run.tell.warn(f"{told.what}; whether it was done is not known, done again in {seconds:.0f} s")
        await run.journal.write(step.name, IN_DOUBT, result=_in(run, seconds), said=run.tell.clean(told.what))
        return
    run.tell.error(told)
    await run.journal.write(step.name, FAILED, said=run.tell.clean(told.what))


async def _again(run: Run, step: Step, again: Transient, journal: Journal) -> None:
    tries = journal.count(step.name, AGAIN_AT) + 1
    seconds = min(again.again_in_seconds * 2 ** (tries - 1), LONGEST_PAUSE_SECONDS)
    run.tell.warn(f"{again.error.what}; tried again in {seconds:.0f} s ({tries} of {TRIES - 1})")
    await run.journal.write(step.name, AGAIN_AT, result=_in(run, seconds), said=run.tell.clean(again.error.what))


async def _undo(run: Run, step: Step, journal: Journal) -> None:
    await run.journal.write(step.name, UNDOING)
    scope = asyncio.timeout(step.undo_limit_seconds)
    try:
        async with scope:
            found = await parallel.undo(step, run.view_of(run.activity, journal), run.host, run.tell)
    except Exception as error:   # noqa: BLE001  the boundary of undos: an undo that fails is stuck, shown, and tried again
        cause = _overran(step, step.undo_limit_seconds) if scope.expired() else unwrap(error)
        told = explain(cause, run.activity.id, _words(step))
        pause = min(UNDO_AGAIN_SECONDS * 2 ** journal.count(step.name, STUCK), LONGEST_PAUSE_OF_AN_UNDO_SECONDS)
        run.tell.error(DeployError(
            f"cannot undo {_words(step)}, done again in {pause:.0f} s: {told.what}",
            where=told.where, evidence=told.evidence, hint=told.hint,
        ))
        await run.journal.write(step.name, STUCK, result=_in(run, pause), said=run.tell.clean(told.what))
    else:
        await run.journal.write(step.name, UNDONE, result=None if found is None else write_result(found))


async def _waited(run: Run, wait: Wait) -> bool:
    """Wait until the moment. False: a cancellation ended it, or there is nothing to wait for any more.

    A clock that was set back makes it no longer than any wait is.
    """
    seconds = min(max(0.0, (wait.until - run.clock.now()).total_seconds()), LONGEST_WAIT_SECONDS)
    if isinstance(wait.then, Undo):   # who backs out already is not hurried by a cancel
        return await _waited_stuck(run, wait.step, seconds)
    try:
        async with run.cancellation.limit(None, may_end=not run.cancellation.too_late):
            await asyncio.sleep(seconds)
    except CancellationCame:
        return False
    return True


async def _waited_stuck(run: Run, step: Step, seconds: float) -> bool:
    """Wait until the undo is to be tried again, or an operator says that it goes now. False: it was skipped."""
    journal = await run.journal.read()
    stuck = journal.last(step.name)
    why = stuck.said if stuck else ""
    run.limits.waits.say(run.activity.id, f"cannot undo {_words(step)}: {why}", stuck=True)
    try:
        async with asyncio.TaskGroup() as group:
            telling = group.create_task(run.when_stuck(journal), name="what a stuck undo means")
            await run.cancellation.pause(seconds)
            telling.cancel()   # the undo comes first
    finally:
        run.limits.waits.done(run.activity.id)
    last = (await run.journal.read()).last(step.name)
    return last is not None and last.event == STUCK


def _in(run: Run, seconds: float) -> str:
    return (run.clock.now() + timedelta(seconds=seconds)).isoformat()


def _overran(step: Step, seconds: float) -> Overran:
    return Overran(f"the step {_words(step)} did not end within {seconds:.0f} s")


def _words(step: Step) -> str:
    return step.name.replace("_", " ")


def _is_stopping() -> bool:
    task = asyncio.current_task()
    return task is None or task.cancelling() > 0


def visitors_after(table: Table[Any, Any], journal: Journal) -> str:
    """What visitors see when an activity has ended."""
    switched = table.switch is not None and journal.last(table.switch) is not None
    done = switched and table.switch is not None and journal.count(table.switch, DONE) > 0
    return f"visitors {(Visitors.ON_NEW if done else Visitors.AS_BEFORE).value}"


def _begin_of(run: Run, phase: str, journal: Journal) -> datetime:
    """When a phase began: maybe before the daemon did."""
    steps = {step.name for step in run.table.steps if step.phase == phase}
    return next((entry.at for entry in journal.entries if entry.step in steps and entry.event == STARTED),
                run.clock.now())


def _tell_seconds(run: Run, phase: str, began: datetime) -> None:
    run.tell.done(f"{phase} took {(run.clock.now() - began).total_seconds():.1f} s")
