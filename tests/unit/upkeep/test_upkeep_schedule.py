"""When crons are due, by the calendar and by the clocks of a time zone."""

from __future__ import annotations

from datetime import UTC, datetime
from itertools import pairwise

import pytest

from deployd.project.application.crons import spec_problem
from deployd.upkeep.schedule import next_due, plain_spec

MONDAY = datetime(2026, 3, 2, 10, 7, 30, tzinfo=UTC)


@pytest.mark.parametrize(("spec", "due"), [
    ("* * * * *", "2026-03-02T10:08"),
    ("*/5 * * * *", "2026-03-02T10:10"),
    ("7 10 * * *", "2026-03-03T10:07"),
    ("0 0 1 * *", "2026-04-01T00:00"),
    ("5/20 * * * *", "2026-03-02T10:25"),
    ("0 9-17/4 * * *", "2026-03-02T13:00"),
    ("0 0 * * sunday", "2026-03-08T00:00"),
    ("0 0 * * 7", "2026-03-08T00:00"),
    ("0 0 * feb,JUL *", "2026-07-01T00:00"),
    ("0 0 * * fri-tue", "2026-03-03T00:00"),
    ("0 0 * * 5-0", "2026-03-06T00:00"),
    ("0 0 * nov-jan *", "2026-11-01T00:00"),
    ("0 0 13 * fri", "2026-03-06T00:00"),       # either of the two days, as in every cron
    ("0 0 29 2 *", "2028-02-29T00:00"),
])
def test_the_next_due_moment_is_after_the_present_one(spec: str, due: str) -> None:
    assert spec_problem(spec) is None, "the configuration's reader must accept it too"
    assert next_due(spec, MONDAY) == datetime.fromisoformat(due).replace(tzinfo=UTC)


def test_a_day_that_never_comes_is_never_due() -> None:
    assert next_due("0 0 31 2 *", MONDAY) is None
    assert next_due("0 0 30 feb *", MONDAY) is None


def test_what_is_due_at_this_very_moment_is_not_due_again() -> None:
    at = datetime(2026, 3, 2, 10, 5, tzinfo=UTC)
    assert next_due("*/5 * * * *", at) == datetime(2026, 3, 2, 10, 10, tzinfo=UTC)


def test_h_is_the_same_for_the_same_cron_and_spread_over_many() -> None:
    specs = {plain_spec("H H * * *", f"shop/app/cron{number}") for number in range(50)}
    assert len(specs) > 40
    assert plain_spec("H * * * *", "a") == plain_spec("H * * * *", "a")


@pytest.mark.parametrize(("spec", "field", "allowed"), [
    ("H * * * *", 0, range(60)), ("* H(1-3) * * *", 1, range(1, 4)), ("* * H * *", 2, range(1, 29)),
    ("* * * * H", 4, range(7)),
])
def test_h_stays_in_its_range(spec: str, field: int, allowed: range) -> None:
    assert spec_problem(spec) is None
    for seed in map(str, range(100)):
        assert int(plain_spec(spec, seed).split()[field]) in allowed


def test_h_with_a_step_runs_every_so_often_from_a_drawn_beginning() -> None:
    for seed in map(str, range(50)):
        minutes = [int(text) for text in plain_spec("H/15 * * * *", seed).split()[0].split(",")]
        assert len(minutes) == 4
        assert {later - earlier for earlier, later in pairwise(minutes)} == {15}


def test_a_schedule_is_read_in_the_time_zone_of_the_application() -> None:
    assert next_due("30 2 * * *", MONDAY, "America/New_York") == datetime(2026, 3, 3, 7, 30, tzinfo=UTC)
    assert next_due("30 2 * * *", MONDAY, "Mars/Olympus") == datetime(2026, 3, 3, 2, 30, tzinfo=UTC)


def test_a_time_that_the_clocks_skip_runs_right_after_the_gap() -> None:
    before = datetime(2026, 3, 29, 0, 0, tzinfo=UTC)   # 02:00 to 03:00 does not exist in Berlin that night
    assert next_due("30 2 * * *", before, "Europe/Berlin") == datetime(2026, 3, 29, 1, 0, tzinfo=UTC)


def test_a_time_in_the_hour_that_comes_twice_runs_once() -> None:
    first = next_due("30 2 * * *", datetime(2026, 10, 24, 23, 0, tzinfo=UTC), "Europe/Berlin")
    assert first == datetime(2026, 10, 25, 0, 30, tzinfo=UTC)
    for minutes in (0, 20, 50):   # within the second of both hours
        asked = datetime(2026, 10, 25, 1, minutes, tzinfo=UTC)
        assert next_due("30 2 * * *", asked, "Europe/Berlin") == datetime(2026, 10, 26, 1, 30, tzinfo=UTC)
