"""What to do next, from what is written alone. Pure: the same journal always gives the same answer.

    forwards:   Do every step in order ──────────────────────────────► Finish(success)
    a failure or a cancellation before the switch:  Undo every started step, last first ──► Finish(failed, cancelled, …)
    a failure after the switch:             go on; nothing is undone ──► Finish(failed)

The switch itself is never undone. It fails only when it was certainly not done; then the others are undone.
An undo that fails is not given up, because the undos after it rely on it: it is done again until it is done, or until
somebody who knows better skips it.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from deployd.activity.journal import (
    AGAIN_AT,
    DONE,
    FAILED,
    IN_DOUBT,
    SKIPPED,
    STARTED,
    STUCK,
    UNDONE,
    Journal,
)
from deployd.activity.table import NO_WAY_BACK, NOTHING, Step, Table, Visitors
from deployd.state.activities import State
from deployd.state.entries import HELD


@dataclass(frozen=True, slots=True)
class Do:
    step: Step


@dataclass(frozen=True, slots=True)
class Undo:
    step: Step


@dataclass(frozen=True, slots=True)
class Wait:
    """Nothing until a moment; then ask again."""

    step: Step
    until: datetime
    then: Do | Undo


@dataclass(frozen=True, slots=True)
class Finish:
    state: State
    reason: str


Move = Do | Undo | Wait | Finish

ENDS: dict[str, State] = {"superseded": "superseded", HELD: "pending"}
"""{what was asked for: how it ends}; all else is a cancel. Who is held waits, and is done anew one day."""


def past_the_way_back(table: Table[Any, Any], journal: Journal) -> bool:
    """Whether the switch was begun and not refused for certain. From then on cancellations come too late."""
    last = journal.last(table.switch) if table.switch else None
    return last is not None and last.event in (STARTED, DONE, IN_DOUBT, AGAIN_AT)


def has_touched_visitors(table: Table[Any, Any], journal: Journal) -> bool:
    """Whether a step was begun that visitors may notice: the freeze, or one after it."""
    return any(journal.last(step.name) for step in table.steps if step.visitors is not Visitors.AS_BEFORE)


def has_touched_live(table: Table[Any, Any], journal: Journal) -> bool:
    """Whether a step was begun that changes what is live: whoever looks after it would be in the way."""
    return any(journal.last(step.name) for step in table.steps if step.phase not in table.quiet_phases)


def next_move(table: Table[Any, Any], journal: Journal) -> Move:
    """What to do now. Given to the end it always finishes: whatever is written brings the next move nearer to it."""
    failure, cancellation = journal.failure(), journal.cancellation()
    if (failure or cancellation) and not past_the_way_back(table, journal):
        return _back_out(table, journal)
    for step in table.steps:
        last = journal.last(step.name)
        if last is None or last.event == STARTED:
            return Do(step)
        if last.event in (AGAIN_AT, IN_DOUBT):
            return Wait(step, datetime.fromisoformat(last.result or last.at.isoformat()), Do(step))
        if last.event not in (DONE, FAILED):
            return _back_out(table, journal)
    return Finish("failed", failure.said) if failure else Finish("success", "")


def _back_out(table: Table[Any, Any], journal: Journal) -> Move:
    for step in reversed(table.steps):
        last = journal.last(step.name)
        if last is None or last.event in (UNDONE, SKIPPED) or step.undone_by in (NOTHING, NO_WAY_BACK):
            continue
        if last.event == STUCK:
            return Wait(step, datetime.fromisoformat(last.result or last.at.isoformat()), Undo(step))
        return Undo(step)   # started is enough: it may be half made
    failure, cancellation = journal.failure(), journal.cancellation()
    skipped = [(step.name, last.said) for step in table.steps
               if (last := journal.last(step.name)) and last.event == SKIPPED]
    left = "".join(f"; {name.replace('_', ' ')} is not undone, {said}" for name, said in skipped)
    if failure is not None:
        return Finish("failed", failure.said + left)
    assert cancellation is not None
    return Finish(ENDS.get(cancellation.result or "", "cancelled"), cancellation.said + left)


__all__ = ["FAILED", "Do", "Finish", "Move", "Undo", "Wait", "next_move", "past_the_way_back"]
