"""The loop that carries an activity from step to step: intent is durable before the act, the outcome after it.

One of the two places that catch every exception (the other is `supervised`): an expected error is told, anything else
is a bug of deployd, and is told as one. Whatever happens here, the journal says it, and `next_move` decides what
follows.
"""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import Callable
from contextlib import AsyncExitStack
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, ClassVar, Protocol

import structlog

from deployd.activity.journal import (
    AGAIN_AT,
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
from deployd.activity.log import Tell
from deployd.activity.machine import Do, Finish, Undo, Wait, next_move
from deployd.activity.slots import Slots
from deployd.activity.table import NO_WAY_BACK, Step, Table, Visitors
from deployd.activity.wish import Wish
from deployd.clock import Clock
from deployd.errors import DeployError, Transient
from deployd.state.activities import Activity

log = structlog.get_logger()

TRIES = 3
UNDO_SECONDS = 300
UNDO_AGAIN_SECONDS = 5.0
DOUBT_AGAIN_SECONDS = 1.0
BUILDING = frozenset({"build", "slug"})
DEPLOYING = frozenset({"deploy", "hooks", "route"})


class Overran(DeployError):
    """A step did not end in its time."""

    code: ClassVar[str] = "step-overran"


class Incident(DeployError):
    """A bug of deployd; the operator's log has its traceback under the same name."""

    code: ClassVar[str] = "incident"


class Refused(Protocol):
    """An error by which the switch says that it was certainly not done."""

    certainly_not_done: bool


class JournalStore(Protocol):
    async def read(self) -> Journal: ...

    async def write(self, step: str, event: str, *, result: str | None = None, said: str = "") -> None:
        """Durable when it returns."""
        ...


@dataclass(frozen=True, slots=True)
class Limits:
    builds: Slots
    deploys: Slots


@dataclass(frozen=True)
class Run:
    """Everything that carrying one activity needs."""

    activity: Activity
    table: Table[Any, Any]
    host: Any
    view_of: Callable[[Activity, Journal], Any]
    journal: JournalStore
    wish: Wish
    tell: Tell
    limits: Limits
    clock: Clock


async def run(run: Run) -> Finish:
    """Carry an activity to its end; may be called again after any crash."""
    phase = ""
    began = asyncio.get_running_loop().time()
    async with _Slot(run) as slot:
        while True:
            journal = await run.journal.read()
            move = next_move(run.table, journal)
            if isinstance(move, Wait):
                await _wait(run, move)
                move = move.then
            if isinstance(move, Finish):
                return move
            if isinstance(move, Undo):
                await _undo(run, move.step, journal)
                continue
            if move.step.phase != phase:
                if phase:
                    _tell_seconds(run, phase, began)
                phase, began = move.step.phase, asyncio.get_running_loop().time()
                run.tell.phase(phase)
            await slot.for_phase(phase)
            await _do(run, move, journal)


async def _do(run: Run, move: Do, journal: Journal) -> None:
    step = move.step
    name = step.name
    final = step.undone_by is NO_WAY_BACK
    await run.journal.write(name, STARTED)   # intent: durable before the act
    try:
        async with run.wish.limit(step.limit_seconds, may_end=not final):
            result = await step.do(run.view_of(run.activity, journal), run.host, run.tell)
    except TimeoutError:
        if run.wish.asked and not final:
            return   # the wish is in the journal already
        error = Overran(f"the step {name.replace('_', ' ')} did not end within {step.limit_seconds:.0f} s")
        await _failed(run, step, error, doubtful=final)
    except Transient as again:
        await _again(run, step, again, journal)
    except Exception as error:   # noqa: BLE001  the one net, see above
        await _failed(run, step, error, doubtful=final and not getattr(error, "certainly_not_done", False))
    else:
        await run.journal.write(name, DONE, result=write_result(result))


async def _failed(run: Run, step: Step, error: BaseException, *, doubtful: bool) -> None:
    told = explain(error, run.activity, step)
    if doubtful:   # the switch: only the router's own "nothing was switched" is a failure
        again = run.clock.now() + timedelta(seconds=DOUBT_AGAIN_SECONDS)
        run.tell.warn(f"{told.what}; looked up and done again")
        await run.journal.write(step.name, IN_DOUBT, result=again.isoformat(), said=told.what)
        return
    run.tell.error(told)
    await run.journal.write(step.name, FAILED, said=told.what)


async def _again(run: Run, step: Step, again: Transient, journal: Journal) -> None:
    tries = journal.count(step.name, AGAIN_AT) + 1
    if tries >= TRIES:
        await _failed(run, step, again.error, doubtful=False)
        return
    seconds = again.again_in_seconds * 2 ** (tries - 1)
    run.tell.warn(f"{again.error.what}; tried again in {seconds:.0f} s ({tries} of {TRIES - 1})")
    at = run.clock.now() + timedelta(seconds=seconds)
    await run.journal.write(step.name, AGAIN_AT, result=at.isoformat(), said=again.error.what)


async def _undo(run: Run, step: Step, journal: Journal) -> None:
    await run.journal.write(step.name, UNDOING)
    try:
        async with asyncio.timeout(UNDO_SECONDS):
            await step.undone_by(run.view_of(run.activity, journal), run.host, run.tell)
    except Exception as error:   # noqa: BLE001  the one net: an undo that fails is stuck, shown, and tried again
        told = explain(error, run.activity, step)
        run.tell.warn(f"cannot undo {step.name.replace('_', ' ')}: {told.what}")
        at = run.clock.now() + timedelta(seconds=UNDO_AGAIN_SECONDS)
        await run.journal.write(step.name, STUCK, result=at.isoformat(), said=told.what)
    else:
        await run.journal.write(step.name, UNDONE)


async def _wait(run: Run, wait: Wait) -> None:
    seconds = (wait.until - run.clock.now()).total_seconds()
    try:
        async with run.wish.limit(max(0.0, seconds) + 1, may_end=wait.step.undone_by is not NO_WAY_BACK):
            await asyncio.sleep(max(0.0, seconds))
    except TimeoutError:
        return   # a wish came; the journal has it


def explain(error: BaseException, activity: Activity, step: Step) -> DeployError:
    """Any exception as something that people can be told."""
    while isinstance(error, BaseExceptionGroup) and len(error.exceptions) == 1:
        error = error.exceptions[0]
    if isinstance(error, DeployError):
        return error
    name = secrets.token_hex(2).upper()
    log.error("incident", incident=name, activity=activity.id, step=step.name, exc_info=error)
    return Incident(
        f"an error of deployd itself (incident {name}) in {step.name.replace('_', ' ')}",
        mend="it is not your fault; tell the operator the incident's name, the log of the daemon has the rest",
    )


def visitors_after(table: Table[Any, Any], journal: Journal) -> str:
    """What visitors see when an activity has ended."""
    switched = table.switch is not None and journal.last(table.switch) is not None
    done = switched and table.switch is not None and journal.count(table.switch, DONE) > 0
    return f"visitors {(Visitors.ON_NEW if done else Visitors.AS_BEFORE).value}"


def _tell_seconds(run: Run, phase: str, began: float) -> None:
    run.tell.done(f"{phase} took {asyncio.get_running_loop().time() - began:.1f} s")


class _Slot:
    """The slot that the activity holds: one for building, then one for deploying; kept from the freeze to the end."""

    def __init__(self, run: Run) -> None:
        self._run = run
        self._stack = AsyncExitStack()
        self._held = ""

    async def __aenter__(self) -> _Slot:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._stack.aclose()

    async def for_phase(self, phase: str) -> None:
        wanted = "builds" if phase in BUILDING else "deploys" if phase in DEPLOYING else ""
        if not wanted or wanted == self._held:
            return
        await self._stack.aclose()
        slots: Slots = getattr(self._run.limits, wanted)
        tell = self._run.tell
        await self._stack.enter_async_context(slots.hold(
            self._run.activity.project, lambda: tell.line(f"waits: all slots for {wanted} are taken"),
        ))
        self._held = wanted
