"""Figures of visitors over an hour and a day, in bounded room."""

from __future__ import annotations

from pathlib import Path

import pytest

from deployd.upkeep.traffic_history import FILE, SPANS, Histories, History, Ring, read_history

BEGAN = 1_777_888_800.0   # a full hour


def test_requests_are_counted_by_class_and_time_in_the_slot_of_their_moment() -> None:
    history = History()
    for moment, status, seconds in ((0, 200, 0.01), (30, 200, 0.02), (59, 503, 4), (60, 301, 0.2), (119, 0, 9999)):
        history.count(BEGAN + moment, status, seconds)
    points = history.points("hour", BEGAN + 119)
    assert len(points) == 60
    first, second = points[-2:]
    assert first.classes == {"1xx": 0, "2xx": 2, "3xx": 0, "4xx": 0, "5xx": 1}
    assert (first.median_seconds, first.slow_seconds) == (0.025, 5.0)
    assert (second.classes["3xx"], second.classes["4xx"], second.slow_seconds) == (1, 1, 600.0)
    assert first.at.isoformat() == "2026-05-04T10:00:00+00:00"
    assert sum(point.requests for point in points[:-2]) == 0
    assert points[0].median_seconds == 0
    [*earlier, day] = history.points("day", BEGAN + 119)
    assert (len(earlier), day.requests) == (95, 5)


def test_what_is_older_than_the_ring_is_forgotten_and_the_ring_never_grows() -> None:
    ring = Ring(*SPANS["hour"])
    for minute in range(500):
        ring.count(BEGAN + 60 * minute, 1, 0)
    assert len(ring.dump()) == 60
    assert [point.requests for point in ring.points(BEGAN + 60 * 499)] == [1] * 60
    assert sum(point.requests for point in ring.points(BEGAN + 60 * 530)) == 29
    ring.count(BEGAN, 1, 0)   # a clock that was set back
    assert len(ring.dump()) == 1


def test_a_restart_goes_on_with_what_was_written(tmp_path: Path) -> None:
    history = History()
    history.count(BEGAN, 200, 0.1)
    assert history.changed
    history.write(tmp_path / "traffic")
    assert not history.changed
    again = read_history(tmp_path / "traffic")
    again.count(BEGAN + 1, 404, 0.1)
    assert again.points("hour", BEGAN)[-1].requests == 2
    assert [path.name for path in tmp_path.iterdir()] == ["traffic"]


@pytest.mark.parametrize("text", ["", "{", "[]", '{"hour": 7}', '{"hour": [[1, [1], [1]]], "day": []}',
                                  '{"hour": [["x", [], []]], "day": []}', '{"hour": []}'])
def test_a_damaged_file_is_an_empty_history(tmp_path: Path, text: str) -> None:
    (tmp_path / "traffic").write_text(text)
    found = read_history(tmp_path / "traffic")
    assert sum(point.requests for span in SPANS for point in found.points(span, BEGAN)) == 0
    found.count(BEGAN, 200, 0.1)
    assert found.points("hour", BEGAN)[-1].requests == 1


def test_histories_are_read_at_first_use_written_when_they_changed_and_go_with_their_environment(
    tmp_path: Path,
) -> None:
    for name in ("main", "next"):
        (tmp_path / "shop" / name).mkdir(parents=True)
    histories = Histories(lambda key: tmp_path / key)
    histories.count("shop/main", BEGAN, [(200, 0.1), (502, 3.0)])
    assert histories.points("shop/next", "hour", BEGAN)[-1].requests == 0
    histories.write()
    assert [file.parent.name for file in tmp_path.rglob("*.json")] == ["main"]
    again = Histories(lambda key: tmp_path / key)
    again.count("shop/main", BEGAN, [(200, 0.1)])
    assert again.points("shop/main", "day", BEGAN)[-1].requests == 3
    (tmp_path / "shop" / "main" / FILE).unlink()
    (tmp_path / "shop" / "main").rmdir()
    again.write()
    assert again.points("shop/main", "day", BEGAN)[-1].requests == 0
