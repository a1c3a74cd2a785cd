"""Deployment windows: days, hours, time zones, and what a change of the clock does to them."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from pydantic import ValidationError

from deployd.promotion.windows import is_open, next_opening, words
from deployd.settings import Protection


def protection(*windows: dict[str, Any], zone: str = "UTC") -> Protection:
    return Protection.model_validate({"windows": list(windows), "time_zone": zone})


def at(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


OFFICE = {"days": ["mon-thu"], "from": "09:00", "to": "16:00"}
NIGHT = {"days": ["fri"], "from": "22:00", "to": "02:00"}


@pytest.mark.parametrize(("window", "zone", "moment", "open_"), [
    (OFFICE, "UTC", "2026-05-04T08:59", False), (OFFICE, "UTC", "2026-05-04T09:00", True),
    (OFFICE, "UTC", "2026-05-04T15:59", True), (OFFICE, "UTC", "2026-05-04T16:00", False),
    (OFFICE, "UTC", "2026-05-08T12:00", False),                                  # a Friday
    (OFFICE, "Europe/Berlin", "2026-05-04T07:00", True), (OFFICE, "Europe/Berlin", "2026-01-05T07:00", False),
    (OFFICE, "Pacific/Auckland", "2026-05-03T21:30", True),                      # Monday there
    (NIGHT, "UTC", "2026-05-08T23:00", True), (NIGHT, "UTC", "2026-05-09T01:59", True),
    (NIGHT, "UTC", "2026-05-09T02:00", False), (NIGHT, "UTC", "2026-05-08T01:00", False),
    ({}, "UTC", "2026-05-04T00:00", True), ({"to": "24:00", "from": "23:00"}, "UTC", "2026-05-04T23:59", True),
])
def test_when_a_window_is_open(window: dict[str, Any], zone: str, moment: str, open_: bool) -> None:
    assert is_open(protection(window, zone=zone), at(moment)) is open_


@pytest.mark.parametrize(("window", "zone", "moment", "opens"), [
    (OFFICE, "UTC", "2026-05-04T16:00", "2026-05-05T09:00"), (OFFICE, "UTC", "2026-05-07T16:00", "2026-05-11T09:00"),
    (OFFICE, "Europe/Berlin", "2026-03-27T12:00", "2026-03-30T07:00"),           # the clock goes forward in between
    (OFFICE, "Europe/Berlin", "2026-10-23T12:00", "2026-10-26T08:00"),           # and back
    ({"days": "mon", "to": "01:00"}, "UTC", "2026-05-04T01:00", "2026-05-11T00:00"),
])
def test_when_it_opens_next(window: dict[str, Any], zone: str, moment: str, opens: str) -> None:
    shut = protection(window, zone=zone)
    assert next_opening(shut, at(moment)) == at(opens)
    assert is_open(shut, at(opens))
    assert not is_open(shut, at(opens) - timedelta(minutes=1))


def test_an_open_window_opens_at_no_moment_and_none_at_all_is_always_open() -> None:
    assert next_opening(protection(OFFICE), at("2026-05-04T10:00")) is None
    assert is_open(protection(), at("2026-05-09T03:00"))


def test_the_words_are_what_was_written() -> None:
    twice = protection(OFFICE, {"days": ["sat", "sun"], "from": 480}, zone="Europe/Berlin")
    assert words(twice) == "mon-thu 09:00-16:00, sat-sun 08:00-24:00 Europe/Berlin"


def test_a_time_that_yaml_reads_as_a_number_is_the_time_that_was_written() -> None:
    assert protection({"from": 1320, "to": 1380}) == protection({"from": "22:00", "to": "23:00"})


@pytest.mark.parametrize("wrong", [
    {"days": []}, {"days": ["monday"]}, {"days": ["mon-funday"]}, {"from": "9"}, {"from": "25:00"}, {"from": "09:60"},
    {"from": "10:00", "to": "10:00"}, {"from": "24:00"}, {"from": True}, {"to": -1}, {"hours": "09-10"},
])
def test_what_means_no_window_is_refused(wrong: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        protection(wrong)


@pytest.mark.parametrize("zone", ["Mars/Olympus", "../../etc/passwd", "/etc/localtime", ""])
def test_what_is_no_time_zone_is_refused(zone: str) -> None:
    with pytest.raises(ValidationError):
        protection(zone=zone)
