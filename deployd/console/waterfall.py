"""Phases and steps of an activity as bars on one axis, with those of comparable runs below each. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from statistics import median

from deployd.activity.timeline import Bar, BarState, PhaseBar, Timeline

WIDTH = 1000.0
"""Of a row, in units of its drawing."""
LEAST_WIDTH = 3.0
"""So that what took no time is seen."""
NICE_SECONDS = (1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1800, 3600, 7200)
MOST_TICKS = 8
SLOWER, SLOWER_SECONDS = 1.5, 2.0
"""A phase is slower than usual when it takes so many times the median of the earlier runs, and so much longer."""


@dataclass(frozen=True, slots=True)
class Strip:
    """A bar of the drawing."""

    x: float
    width: float


@dataclass(frozen=True, slots=True)
class Row:
    name: str
    state: BarState
    seconds: float
    strip: Strip
    is_phase: bool
    earlier: tuple[Strip, ...] = ()
    """Of the phase in comparable runs, newest first, beginning where this one begins."""
    usual_seconds: float | None = None
    """Median of these; None: there are none."""
    tries: int = 1

    @property
    def is_slower(self) -> bool:
        usual = self.usual_seconds
        return usual is not None and self.seconds > usual * SLOWER and self.seconds > usual + SLOWER_SECONDS


@dataclass(frozen=True, slots=True)
class Waterfall:
    rows: tuple[Row, ...]
    seconds: float
    """That the axis has."""
    ticks: tuple[tuple[float, str], ...]
    """(where, what stands there)"""
    runs: int
    """How many comparable runs are laid below."""


def waterfall(timeline: Timeline, earlier: Sequence[Timeline], now: datetime) -> Waterfall:
    """
    Args:
        earlier: Runs that ended well, newest first.
    """
    began = timeline.began
    if began is None:
        return Waterfall((), 0.0, (), len(earlier))
    runs = [run.seconds_of(now) for run in earlier]
    seconds = max(timeline.seconds(now), *(
        (phase.began - began).total_seconds() + run.get(phase.phase, 0.0) for phase in timeline.phases for run in runs
    ), 0.001) if runs else max(timeline.seconds(now), 0.001)
    axis = _Axis(began, seconds, now)
    rows: list[Row] = []
    for phase in timeline.phases:
        rows.append(_phase_row(phase, runs, axis))
        if len(phase.bars) > 1:
            rows += [_step_row(bar, axis) for bar in phase.bars]
    return Waterfall(tuple(rows), seconds, _ticks(seconds), len(earlier))


@dataclass(frozen=True, slots=True)
class _Axis:
    began: datetime
    seconds: float
    now: datetime

    def strip(self, began: datetime, seconds: float) -> Strip:
        x = WIDTH * max(0.0, (began - self.began).total_seconds()) / self.seconds
        width = max(LEAST_WIDTH, WIDTH * seconds / self.seconds)
        return Strip(round(min(x, WIDTH - LEAST_WIDTH), 1), round(width, 1))


def _phase_row(phase: PhaseBar, runs: Sequence[dict[str, float]], axis: _Axis) -> Row:
    seconds = phase.seconds(axis.now)
    known = [run[phase.phase] for run in runs if phase.phase in run]
    return Row(
        phase.phase, phase.state, seconds, axis.strip(phase.began, seconds), True,
        tuple(axis.strip(phase.began, one) for one in known), median(known) if known else None,
    )


def _step_row(bar: Bar, axis: _Axis) -> Row:
    seconds = bar.seconds(axis.now)
    return Row(
        bar.step.replace("_", " "), bar.state, seconds, axis.strip(bar.began, seconds), False, tries=bar.tries,
    )


def _ticks(seconds: float) -> tuple[tuple[float, str], ...]:
    step = next((nice for nice in NICE_SECONDS if seconds / nice <= MOST_TICKS), NICE_SECONDS[-1])
    count = min(int(seconds // step), 10 * MOST_TICKS)
    return tuple((round(WIDTH * number * step / seconds, 1), _short(number * step)) for number in range(count + 1))


def _short(seconds: int) -> str:
    """`0`, `45 s`, `2 min`, `1 min 30`"""
    if seconds < 60:
        return f"{seconds} s" if seconds else "0"
    minutes, rest = divmod(seconds, 60)
    return f"{minutes} min" + (f" {rest}" if rest else "")
