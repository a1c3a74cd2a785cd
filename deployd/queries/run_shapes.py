"""An activity from the inside, as JSON tells it. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from deployd.activity.timeline import Bar, PhaseBar, Timeline
from deployd.queries.bad_releases import BadReleaseShape, bad_release_shape
from deployd.queries.journal import FreezeShape
from deployd.queries.runs import Run
from deployd.queries.times import iso


@dataclass(frozen=True, slots=True, kw_only=True)
class StepShape:
    """A step, or what undid it."""

    step: str
    state: str
    """`running`, `waits`, `done`, `failed`, `undoing`, `undone`, `stuck` or `skipped`."""
    began: str
    ended: str
    """Empty: it goes on, or waits for another try."""
    seconds: float
    tries: int
    undoes: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class PhaseShape:
    """The steps of a phase, one after the other."""

    phase: str
    state: str
    began: str
    ended: str
    seconds: float
    steps: tuple[StepShape, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class TimelineShape:
    """All phases, in the order in which they began."""

    began: str
    seconds: float
    """From the first step's beginning to the last one's end."""
    phases: tuple[PhaseShape, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class RunShape:
    """What an activity does, why, and how long it took."""

    activity: int
    timeline: TimelineShape
    earlier: tuple[TimelineShape, ...]
    """Of successful activities of the same kind in the same environment, newest first."""
    phase: str
    """What it does now; empty when it does not run."""
    phase_since: str
    plan: tuple[str, ...]
    urls: tuple[str, ...]
    commit: str
    subject: str
    author: str
    before: str
    """The commit that was live when it was planned."""
    freeze: FreezeShape | None
    stuck: bool
    """An undo waits for somebody to say what becomes of it."""
    bad_release: BadReleaseShape | None
    """What it made live was found bad."""


def run_shape(number: int, run: Run) -> RunShape:
    return RunShape(
        activity=number, timeline=_timeline(run.timeline, run.now),
        earlier=tuple(_timeline(one, run.now) for one in run.earlier), phase=run.phase.phase if run.phase else "",
        phase_since=iso(run.phase.since if run.phase else None), plan=run.plan, urls=run.urls,
        commit=run.commit or "", subject=run.subject, author=run.author, before=run.before or "", freeze=run.freeze,
        stuck=run.stuck, bad_release=bad_release_shape(run.bad) if run.bad else None,
    )


def _timeline(timeline: Timeline, now: datetime) -> TimelineShape:
    return TimelineShape(
        began=iso(timeline.began), seconds=round(timeline.seconds(now), 3),
        phases=tuple(_phase(phase, now) for phase in timeline.phases),
    )


def _phase(phase: PhaseBar, now: datetime) -> PhaseShape:
    return PhaseShape(
        phase=phase.phase, state=phase.state, began=iso(phase.began), ended=iso(phase.ended),
        seconds=round(phase.seconds(now), 3), steps=tuple(_step(bar, now) for bar in phase.bars),
    )


def _step(bar: Bar, now: datetime) -> StepShape:
    return StepShape(
        step=bar.step, state=bar.state, began=iso(bar.began), ended=iso(bar.ended), seconds=round(bar.seconds(now), 3),
        tries=bar.tries, undoes=bar.undoes,
    )
