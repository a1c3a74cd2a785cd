"""Bars of a waterfall out of a journal."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from deployd.activity.timeline import Timeline, timeline_of
from deployd.state.entries import HELD, Entry

BEGAN = datetime(2026, 5, 4, 10, 0, tzinfo=UTC)
PHASES = {"fetch": "validate", "read_and_plan": "validate", "build_apps": "build", "freeze": "hooks", "hook": "hooks"}


def at(seconds: float) -> datetime:
    return BEGAN + timedelta(seconds=seconds)


def read(*entries: tuple[str, str, float]) -> Timeline:
    return timeline_of([Entry(step, event, at(seconds)) for step, event, seconds in entries], PHASES)


def shown(timeline: Timeline, now: float) -> list[tuple[str, str, float]]:
    return [(phase.phase, phase.state, phase.seconds(at(now))) for phase in timeline.phases]


def test_phases_last_from_their_first_step_to_the_end_of_the_last() -> None:
    timeline = read(
        ("fetch", "started", 0), ("fetch", "done", 1), ("read_and_plan", "started", 1), ("read_and_plan", "done", 3),
        ("build_apps", "started", 3), ("build_apps", "done", 43),
    )
    assert shown(timeline, 100) == [("validate", "done", 3), ("build", "done", 40)]
    assert [bar.seconds(at(100)) for bar in timeline.phases[0].bars] == [1, 2]
    assert timeline.seconds(at(100)) == 43
    assert timeline.seconds_of(at(100)) == {"validate": 3, "build": 40}


def test_what_goes_on_lasts_until_now() -> None:
    timeline = read(("fetch", "started", 0), ("fetch", "done", 1), ("build_apps", "started", 2))
    assert shown(timeline, 12) == [("validate", "done", 1), ("build", "running", 10)]
    assert timeline.seconds(at(12)) == 12
    assert timeline.phases[1].ended is None


def test_a_step_that_is_tried_again_is_one_bar_with_its_tries() -> None:
    timeline = read(("fetch", "started", 0), ("fetch", "again", 1), ("fetch", "started", 11), ("fetch", "done", 12))
    [bar] = timeline.phases[0].bars
    assert (bar.seconds(at(99)), bar.tries, bar.state) == (12, 2, "done")
    waits = read(("fetch", "started", 0), ("fetch", "again", 1))
    assert shown(waits, 5) == [("validate", "waits", 5)]


def test_what_is_undone_has_bars_of_its_own() -> None:
    timeline = read(
        ("freeze", "started", 0), ("freeze", "done", 1), ("hook", "started", 1), ("hook", "failed", 8),
        ("hook", "undoing", 8), ("hook", "undone", 9), ("freeze", "undoing", 9), ("freeze", "stuck", 12),
    )
    assert shown(timeline, 20) == [("hooks", "failed", 8), ("undo hooks", "stuck", 12)]
    assert [bar.state for bar in timeline.phases[1].bars] == ["undone", "stuck"]


def test_a_step_that_was_done_anew_after_a_lock_counts_from_its_last_beginning() -> None:
    timeline = read(
        ("fetch", "started", 0), ("fetch", "done", 1), ("fetch", "started", 500), ("fetch", "done", 502),
    )
    assert shown(timeline, 999) == [("validate", "done", 2)]


def test_wishes_and_what_is_not_known_make_no_bars_and_a_strange_step_has_a_place() -> None:
    entries = [
        Entry("", "wish", at(0)), Entry("", HELD, at(0)), Entry("brew_coffee", "started", at(1)),
        Entry("brew_coffee", "done", at(2)),
    ]
    assert shown(timeline_of(entries, PHASES), 9) == [("other", "done", 1)]
    assert timeline_of([], PHASES).seconds(at(9)) == 0
    assert timeline_of([], PHASES).began is None
