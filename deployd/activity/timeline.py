"""How long the phases and steps of an activity took, out of its journal. Pure.

    validate  ▇▇
    build       ▇▇▇▇▇▇▇▇▇▇
    hooks                 ▇▇▇▇▁▁▁▁      ▁ undone
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Literal

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
)
from deployd.state.entries import Entry

BarState = Literal["running", "waits", "done", "failed", "undoing", "undone", "stuck", "skipped"]
STATES: Mapping[str, BarState] = {
    STARTED: "running", AGAIN_AT: "waits", IN_DOUBT: "waits", DONE: "done", FAILED: "failed",
    UNDOING: "undoing", UNDONE: "undone", STUCK: "stuck", SKIPPED: "skipped",
}
OVER = frozenset({"done", "failed", "undone", "skipped"})
UNDOES = frozenset({UNDOING, UNDONE, STUCK, SKIPPED})
OTHER = "other"
"""The phase of a step that this deployd does not know."""


@dataclass(frozen=True, slots=True)
class Bar:
    """A step, or what undid it, from its beginning to its end."""

    phase: str
    step: str
    began: datetime
    ended: datetime | None
    """None: it goes on, or waits for another try."""
    state: BarState
    tries: int = 1
    undoes: bool = False

    def seconds(self, now: datetime) -> float:
        return max(0.0, ((self.ended or now) - self.began).total_seconds())


@dataclass(frozen=True, slots=True)
class PhaseBar:
    """The steps of a phase, one after the other."""

    phase: str
    bars: tuple[Bar, ...]

    @property
    def began(self) -> datetime:
        return min(bar.began for bar in self.bars)

    @property
    def ended(self) -> datetime | None:
        ends = [bar.ended for bar in self.bars if bar.ended is not None]
        return max(ends) if len(ends) == len(self.bars) else None

    @property
    def state(self) -> BarState:
        """Of its steps the one that people have to know of: what goes on, else what went wrong, else the last."""
        bad = [bar.state for bar in self.bars if bar.state not in ("done", "undone")]
        return bad[-1] if bad else self.bars[-1].state

    def seconds(self, now: datetime) -> float:
        return max(0.0, ((self.ended or now) - self.began).total_seconds())


@dataclass(frozen=True, slots=True)
class Timeline:
    """All phases, in the order in which they began."""

    phases: tuple[PhaseBar, ...] = ()

    @property
    def began(self) -> datetime | None:
        return min((phase.began for phase in self.phases), default=None)

    def seconds(self, now: datetime) -> float:
        """From the first step's beginning to the last one's end."""
        if not self.phases:
            return 0.0
        began = min(phase.began for phase in self.phases)
        return max(0.0, (max(phase.ended or now for phase in self.phases) - began).total_seconds())

    def seconds_of(self, now: datetime) -> dict[str, float]:
        """{phase: seconds}, to be laid beside those of another run."""
        return {phase.phase: phase.seconds(now) for phase in self.phases}


def timeline_of(entries: Sequence[Entry], phases: Mapping[str, str]) -> Timeline:
    """
    Args:
        entries: The journal, oldest first; what stands before an activity was held last counts too.
        phases: {step: its phase}
    """
    bars: dict[tuple[str, bool], Bar] = {}
    for entry in entries:
        if not entry.step or entry.event == CANCELLATION or entry.event not in STATES:
            continue
        key = (entry.step, entry.event in UNDOES)
        bars[key] = _after(bars.get(key), entry, phases)
    return Timeline(tuple(_by_phase(bars.values())))


def _after(bar: Bar | None, entry: Entry, phases: Mapping[str, str]) -> Bar:
    state = STATES[entry.event]
    ended = entry.at if state in OVER else None
    begins = entry.event in (STARTED, UNDOING)
    if bar is None or (begins and bar.ended is not None):   # done once more: it was held meanwhile
        return Bar(phases.get(entry.step, OTHER), entry.step, entry.at, ended, state, undoes=entry.event in UNDOES)
    return Bar(bar.phase, bar.step, bar.began, ended, state, bar.tries + begins, bar.undoes)


def _by_phase(bars: Iterable[Bar]) -> Iterable[PhaseBar]:
    found: dict[tuple[str, bool], list[Bar]] = {}
    for bar in sorted(bars, key=lambda bar: bar.began):
        found.setdefault((bar.phase, bar.undoes), []).append(bar)
    return (PhaseBar(f"undo {phase}" if undoes else phase, tuple(of)) for (phase, undoes), of in found.items())
