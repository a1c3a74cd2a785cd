"""Lines as pages are told of them: the same bytes for all, and of little memory."""

from __future__ import annotations

import json

from deployd.activity.line import Line
from deployd.console.line_events import LONGEST_KEPT, MOST_KEPT, _kept_event, line_event

HOSTILE = "<script>alert(1)</script>\r\n\n\x00event: reload\ndata: \u2028 \udcff"


def line(number: int, text: str, **more: object) -> Line:
    return Line(number, "2026-05-04T10:00:00+00:00", "output", "deploy", text, "app", **more)   # type: ignore[arg-type]


def told(event: bytes) -> tuple[str, dict[str, object]]:
    head, place, data, *rest = event.decode().split("\n")
    assert (head, rest) == ("event: line", ["", ""])
    return place, json.loads(data.removeprefix("data: "))


def test_a_line_is_one_event_whatever_stands_in_it() -> None:
    place, data = told(line_event(line(7, HOSTILE)))
    assert place == "id: 7"
    assert data["segments"] == [[HOSTILE.replace("\udcff", "?"), ""]]
    _, data = told(line_event(line(8, "all red", colours=((4, 3, "red"),))))
    assert data["segments"] == [["all ", ""], ["red", "red"]]
    _, data = told(line_event(line(9, "it failed", where="a.yaml:1", more=("| evidence", "hint: mend it"))))
    assert (data["where"], data["more"]) == ("a.yaml:1", ["| evidence", "hint: mend it"])


def test_who_looks_at_the_same_line_is_told_the_same_bytes() -> None:
    assert line_event(line(1, "one")) is line_event(line(1, "one"))
    assert line_event(line(1, "two")) != line_event(line(1, "one"))


def test_what_is_kept_of_long_lines_is_nothing() -> None:
    _kept_event.cache_clear()
    for number in range(100):
        line_event(line(number, "x" * (LONGEST_KEPT + 1)))
        line_event(line(number, "short", more=("x" * 16_000,)))
    assert _kept_event.cache_info().currsize == 0
    for number in range(2 * MOST_KEPT):
        line_event(line(number, "short"))
    assert _kept_event.cache_info().currsize == MOST_KEPT
