"""Waterfalls and charts: numbers of drawings."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from deployd.activity.timeline import Timeline, timeline_of
from deployd.console.charts import HEIGHT, WIDTH, Freeze, chart
from deployd.console.waterfall import waterfall
from deployd.state.entries import Entry
from deployd.upkeep.traffic_history import History

BEGAN = datetime(2026, 5, 4, 10, 0, tzinfo=UTC)
NOW = BEGAN + timedelta(minutes=10)
PHASES = {"fetch": "validate", "plan": "validate", "build_apps": "build", "switch": "route"}


def run(validate: float, build: float, *, over: bool = True) -> Timeline:
    half, whole = validate / 2, validate + build
    events = [("fetch", "started", 0.0), ("fetch", "done", half), ("plan", "started", half), ("plan", "done", validate),
              ("build_apps", "started", validate), *([("build_apps", "done", whole)] if over else [])]
    return timeline_of([Entry(step, event, BEGAN + timedelta(seconds=at)) for step, event, at in events], PHASES)


def test_phases_have_their_place_on_the_axis_and_their_steps_below() -> None:
    found = waterfall(run(10, 90), [], NOW)
    assert [(row.name, row.is_phase, row.seconds, row.strip.x, row.strip.width) for row in found.rows] == [
        ("validate", True, 10, 0, 100), ("fetch", False, 5, 0, 50), ("plan", False, 5, 50, 50),
        ("build", True, 90, 100, 900),
    ]
    assert found.seconds == 100
    assert found.ticks == ((0, "0"), (150, "15 s"), (300, "30 s"), (450, "45 s"), (600, "1 min"), (750, "1 min 15"),
                           (900, "1 min 30"))


def test_a_phase_that_got_slower_is_seen_at_once() -> None:
    found = waterfall(run(10, 90), [run(10, 30), run(10, 40), run(2, 50)], NOW)
    validate, build = (row for row in found.rows if row.is_phase)
    assert (validate.usual_seconds, validate.is_slower) == (10, False)
    assert (build.usual_seconds, build.is_slower) == (40, True)
    assert [strip.width for strip in build.earlier] == [300, 400, 500]
    assert {strip.x for strip in build.earlier} == {build.strip.x}
    assert found.runs == 3


def test_the_axis_has_room_for_earlier_runs_that_took_longer() -> None:
    found = waterfall(run(10, 10), [run(10, 190)], NOW)
    assert found.seconds == 200
    assert found.rows[-1].strip.width == 50


def test_what_goes_on_reaches_until_now_and_nothing_is_nothing() -> None:
    found = waterfall(run(10, 0, over=False), [], NOW)
    assert (found.rows[-1].state, found.rows[-1].seconds) == ("running", 590)
    assert waterfall(Timeline(), [run(1, 1)], NOW).rows == ()


def history(*requests: tuple[int, int]) -> History:
    found = History()
    for minute, status in requests:
        found.count((BEGAN - timedelta(minutes=minute)).timestamp(), status, 0.1)
    return found


def test_columns_stand_on_what_is_wrong_and_are_as_high_as_their_requests() -> None:
    points = history((5, 200), (5, 200), (5, 200), (5, 500), (1, 404)).points("hour", BEGAN.timestamp())
    found = chart(points)
    assert len(found.columns) == 60
    assert (found.most, found.requests) == (5, 5)
    column = found.columns[-6]
    assert column.requests == 4
    assert [name for name, _, _ in column.parts] == ["5xx", "2xx"]
    assert sum(height for _, _, height in column.parts) == pytest.approx(HEIGHT * 4 / 5, abs=0.1)
    assert column.parts[-1][1] == pytest.approx(HEIGHT / 5, abs=0.1)
    assert found.columns[0].parts == ()
    assert len(found.median.split()) == 2


def test_freezes_are_marked_where_they_lie_in_the_span() -> None:
    points = history((5, 200)).points("hour", BEGAN.timestamp())
    inside = Freeze(BEGAN - timedelta(minutes=30), BEGAN - timedelta(minutes=29), 12, 4.5)
    before = Freeze(BEGAN - timedelta(hours=3), BEGAN - timedelta(hours=2), 1, 1)
    [(x, width, freeze)] = chart(points, [inside, before]).held
    assert freeze is inside
    assert (x, width) == (pytest.approx(WIDTH * 29 / 60, abs=0.1), pytest.approx(WIDTH / 60, abs=0.1))


def test_a_quiet_environment_has_an_empty_chart() -> None:
    found = chart(History().points("day", BEGAN.timestamp()))
    assert (found.requests, found.most, found.median) == (0, 1, "")
