"""Logs read in pieces."""

from __future__ import annotations

import tracemalloc
from pathlib import Path

import pytest

from deployd.activity import log_file
from deployd.activity.line import Line, parse_line, write_line
from deployd.activity.log_file import last_lines, place_of
from deployd.activity.log_pages import PhaseStart, find_lines, plain_pieces, read_page


def log(folder: Path, *lines: Line) -> Path:
    file = folder / "7.jsonl"
    file.write_bytes(b"".join(write_line(line) + b"\n" for line in lines))
    return file


def line(number: int, text: str, kind: str = "output", **more: str) -> Line:
    return Line(number, "2026-05-04T10:00:00+00:00", kind, "build", text, **more)


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return log(tmp_path, *(line(n, "build" if n == 3 else f"line {n}", "phase" if n == 3 else "output")
                           for n in range(1, 11)))


def test_the_end_of_a_log_is_what_is_read_first(file: Path) -> None:
    page = read_page(file, 4)
    assert [one.number for one in page.lines] == [7, 8, 9, 10]
    assert (page.before, page.after, page.last) == (6, 0, 10)
    assert page.phases == (PhaseStart("build", 3, "2026-05-04T10:00:00+00:00"),)


@pytest.mark.parametrize(("start", "numbers", "before", "after"), [
    (1, [1, 2, 3], 0, 7), (5, [5, 6, 7], 4, 3), (10, [10], 9, 0), (99, [10], 9, 0), (-3, [1, 2, 3], 0, 7),
])
def test_a_log_is_read_from_a_line_on(file: Path, start: int, numbers: list[int], before: int, after: int) -> None:
    page = read_page(file, 3, start=start)
    assert ([one.number for one in page.lines], page.before, page.after) == (numbers, before, after)


def test_a_line_is_found_by_its_number_though_others_were_torn(tmp_path: Path) -> None:
    file = log(tmp_path, line(1, "one"), line(2, "two"))
    with file.open("ab") as more:
        whole = b"".join(write_line(line(number, str(number))) + b"\n" for number in (3, 4))
        more.write(b'{"number": 3, "te\n\n{}\n' + whole + b"{")
    assert [one.number for one in read_page(file, 9, start=4).lines] == [4]
    assert [one.number for one in read_page(file, 9, start=3).lines] == [3, 4]
    assert [one.number for one in read_page(file, 9).lines] == [1, 2, 3, 4]


@pytest.mark.parametrize("block_bytes", [100, 4096])
def test_every_line_of_a_long_log_is_found_by_its_number(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, block_bytes: int,
) -> None:
    monkeypatch.setattr(log_file, "NEAR_BYTES", block_bytes)
    raw = [write_line(line(number, "x" * (number * 37 % 300))) + b"\n" for number in range(1, 301)]
    raw[17:17] = [b"{torn\n", b"\n"]
    raw[200:200] = [b"{torn\n"] * 40
    path = tmp_path / "7.jsonl"
    path.write_bytes(b"".join(raw) + b'{"number": 301, "at')
    with path.open("rb") as file:
        for number in (*range(-1, 301, 7), 1, 17, 18, 199, 200, 201, 300):
            file.seek(place_of(file, number))
            found = next(parsed for text in iter(file.readline, b"") if (parsed := parse_line(text)))
            assert found.number == max(1, number)
        file.seek(place_of(file, 301))
        assert file.read() == b'{"number": 301, "at'


def test_the_last_lines_of_a_log_are_read_without_the_rest(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(log_file, "BLOCK_BYTES", 1_000)
    path = log(tmp_path, *(line(number, "x" * 300) for number in range(1, 101)))
    with path.open("rb") as file:
        for most in (1, 2, 50, 99, 100, 101):
            read = [parse_line(raw) for raw in last_lines(file, most, 10**9)]
            assert [one.number for one in read if one] == list(range(101 - min(most, 100), 101))
        assert 5 < len(last_lines(file, 100, 2_500)) < 12


def test_phases_are_found_though_programs_write_like_them(tmp_path: Path) -> None:
    file = log(tmp_path, line(1, '"kind": "phase", "phase"'), line(2, "deploy", "phase"), line(3, '{"kind": "phase"}'))
    assert [(one.phase, one.number) for one in read_page(file, 1).phases] == [("deploy", 2)]


def test_a_log_that_is_not_there_is_empty(tmp_path: Path) -> None:
    page = read_page(tmp_path / "none", 9)
    assert (page.lines, page.last, page.phases) == ((), 0, ())
    assert read_page(tmp_path / "none", 9, start=5).lines == ()
    assert find_lines(tmp_path / "none", "x", 9) == ([], 0)


def test_texts_are_found_in_any_case_and_wherever_they_stand(tmp_path: Path) -> None:
    file = log(
        tmp_path, line(1, 'say "ÄRGER" \\o/'), line(2, "nothing", app="shop"),
        line(3, "no", where=".platform.app.yaml"), Line(4, "", "error", "build", "bad", more=("| npm ERR!",)),
        line(5, "colours"),
    )
    for text, numbers in (('"ärger"', [1]), ("\\O/", [1]), ("Shop", [2]), ("APP.yaml", [3]), ("npm err", [4]),
                          ("number", []), ("colours", [5]), ("output", []), ("where", []), ("2026", []), ("build", [])):
        assert [one.number for one in find_lines(file, text, 9)[0]] == numbers, text
    found, count = find_lines(file, "o", 2)
    assert ([one.number for one in found], count) == ([3, 5], 4)


def test_a_log_can_be_had_as_plain_text(file: Path) -> None:
    assert b"".join(plain_pieces(file)).decode().splitlines()[1:4] == ["    │ line 2", "▸ build", "    │ line 4"]


def test_of_lines_as_long_as_they_may_be_a_page_has_fewer(tmp_path: Path) -> None:
    file = log(tmp_path, *(line(number, "<" * 16_000) for number in range(1, 401)))
    page = read_page(file, 1000)
    assert (page.last, page.after) == (400, 0)
    assert 100 < len(page.lines) == 400 - page.before < 130
    page = read_page(file, 1000, start=11)
    assert (page.lines[0].number, page.before) == (11, 10)
    assert 100 < len(page.lines) == 390 - page.after < 130
    found, count = find_lines(file, "<", 500)
    assert (found[-1].number, count) == (400, 400)
    assert 100 < len(found) < 130


def test_a_large_log_is_looked_through_without_being_held(tmp_path: Path) -> None:
    file = log(tmp_path, *(line(number, f"line {number}") for number in range(1, 50_001)))
    tracemalloc.start()
    try:
        assert find_lines(file, "line", 500)[1] == 50_000
        assert sum(map(len, plain_pieces(file))) > 500_000
        assert tracemalloc.get_traced_memory()[1] < 2_000_000
    finally:
        tracemalloc.stop()
