"""The last lines of a log in memory: as many as are useful, and as little as is safe."""

from __future__ import annotations

from deployd.activity.line import Line
from deployd.activity.recent_lines import AT_ONCE_LINES, MOST_CHARACTERS, MOST_LINES, RecentLines


def lines(first: int, last: int, size: int = 10) -> RecentLines:
    made = RecentLines()
    for number in range(first, last + 1):
        made.append(Line(number, "", "output", "", "x" * size))
    return made


def numbers(found: list[Line] | None) -> list[int] | None:
    return None if found is None else [line.number for line in found]


def test_what_lies_behind_a_line_is_given_and_nothing_when_there_is_no_more() -> None:
    recent = lines(5, 20)
    assert numbers(recent.since(17)) == [18, 19, 20]
    assert numbers(recent.since(20)) == numbers(recent.since(99)) == []
    assert numbers(recent.since(4)) == list(range(5, 21))


def test_what_is_not_here_any_more_is_read_elsewhere() -> None:
    assert lines(5, 20).since(3) is None
    assert RecentLines().since(0) is None
    many = lines(1, MOST_LINES + 10)
    assert many.since(9) is None
    assert numbers(many.since(10)) == list(range(11, 11 + AT_ONCE_LINES))


def test_a_reader_goes_on_piece_by_piece() -> None:
    recent, after, seen = lines(1, 1000), 0, list[int]()
    while found := numbers(recent.since(after)):
        seen += found
        after = found[-1]
    assert seen == list(range(1, 1001))


def test_of_long_lines_fewer_are_kept_and_fewer_given_at_once() -> None:
    recent = lines(1, 200, size=16_000)
    kept = MOST_CHARACTERS // 16_000
    assert recent.since(200 - kept - 1) is None
    assert len(recent.since(200 - kept) or ()) == 3
    assert numbers(lines(1, 3, size=MOST_CHARACTERS * 2).since(2)) == [3], "the last one is always here"
