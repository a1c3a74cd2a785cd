"""When the disk is full: foretold from what was seen of it, and from nothing less than a day."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from deployd.activity.error_boundary import ErrorBoundary
from deployd.upkeep.usage.free_space import MOST_SAMPLES, FreeSpace, Sample, forecast, read_samples, write_samples

BEGAN = datetime(2026, 5, 4, 10, 0, tzinfo=UTC)
GB = 1_000_000_000


class Clock:
    def __init__(self) -> None:
        self.at = BEGAN

    def now(self) -> datetime:
        return self.at


def samples(hours: int, a_day: float, total: int = 100 * GB) -> list[Sample]:
    return [
        Sample(BEGAN + timedelta(hours=hour), int(50 * GB - a_day * hour / 24), total) for hour in range(hours + 1)
    ]


def test_the_day_is_where_the_line_meets_the_ground() -> None:
    seen = samples(48, 2 * GB)
    found = forecast(seen, seen[-1].at)
    assert found is not None
    assert (found.from_days, found.bytes_a_day) == (2.0, 2 * GB)
    assert found.full_at is not None
    assert abs(found.full_at - (BEGAN + timedelta(days=25))) < timedelta(minutes=1)


def test_nothing_is_foretold_from_less_than_a_day() -> None:
    assert forecast([], BEGAN) is None
    assert forecast(samples(23, GB), BEGAN + timedelta(hours=23)) is None


@pytest.mark.parametrize("a_day", [0, -GB, 0.001 * GB])
def test_what_does_not_fill_within_years_has_no_day(a_day: float) -> None:
    found = forecast(samples(48, a_day), BEGAN + timedelta(days=2))
    assert found is not None
    assert found.full_at is None


def test_what_was_before_the_disk_got_its_size_does_not_count() -> None:
    later = [Sample(item.at + timedelta(days=3), item.free_bytes, 200 * GB) for item in samples(30, GB)]
    found = forecast([*samples(48, 20 * GB), *later], later[-1].at)
    assert found is not None
    assert (found.from_days, found.bytes_a_day) == (1.2, GB)


def test_a_day_that_is_over_is_now() -> None:
    seen = samples(48, 24 * GB)
    found = forecast(seen, BEGAN + timedelta(days=90))
    assert found is not None
    assert found.full_at == BEGAN + timedelta(days=90)


async def test_it_looks_once_an_hour_also_over_starts_and_keeps_two_weeks(tmp_path: Path) -> None:
    clock = Clock()
    for hour in range(MOST_SAMPLES + 10):
        clock.at = BEGAN + timedelta(hours=hour)
        space = FreeSpace(tmp_path, clock, ErrorBoundary("disks"))
        space._samples = read_samples(tmp_path / "free-space.json")
        await space.look()
        await space.look()
    kept = read_samples(tmp_path / "free-space.json")
    assert len(kept) == MOST_SAMPLES
    assert kept[-1].at == clock.at
    assert kept[0].at == clock.at - timedelta(hours=MOST_SAMPLES - 1)
    clock.at = BEGAN   # set back
    await space.look()
    assert [item.at for item in read_samples(tmp_path / "free-space.json")] == [BEGAN]


@pytest.mark.parametrize("text", ["", "{", "7", "[[1]]", "[[1, 2, \"x\"]]", "[[1e300, 1, 1]]"])
def test_a_damaged_file_is_an_empty_history(tmp_path: Path, text: str) -> None:
    (tmp_path / "f").write_text(text)
    assert read_samples(tmp_path / "f") == []
    write_samples(tmp_path / "f", samples(1, GB))
    assert len(read_samples(tmp_path / "f")) == 2
