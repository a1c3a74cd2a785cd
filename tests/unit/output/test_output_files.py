"""Docker's log files: read from a place on, over rotations, and kept when their container goes."""

from __future__ import annotations

import asyncio
import json
import os
from collections.abc import Iterable
from pathlib import Path

import pytest

from deployd.engine.names import Names
from deployd.ids import ActivityId, EnvironmentId
from deployd.output.entries import EntryReader
from deployd.output.files import OutputFiles, last_times
from deployd.output.retention import DAY_SECONDS, Retention, keep_output, trim
from deployd.output.sources import ABOUT, kept_sources
from deployd.process import LONGEST_LINE_BYTES
from tests.doubles.engine import EngineDouble

SECOND = "2026-05-04T10:{:02}:{:02}.{:09}Z"


def time_of(number: int) -> str:
    """Of a line: one each millisecond. Docker leaves zeros at the end out."""
    text = SECOND.format(number // 60_000, number // 1000 % 60, number % 1000 * 1_000_000)
    return text[:-1].rstrip("0").rstrip(".") + "Z"


def entry(number: int, text: str | None = None, stream: str = "stdout") -> bytes:
    values = {"log": f"line {number}\n" if text is None else text, "stream": stream, "time": time_of(number)}
    return json.dumps(values, separators=(",", ":")).encode() + b"\n"


def write(log: Path, numbers: Iterable[int]) -> None:
    with log.open("ab") as file:
        file.write(b"".join(entry(number) for number in numbers))


def set_aside(log: Path, files: int = 3) -> None:
    """As Docker does when a file is full."""
    for number in range(files - 1, 0, -1):
        older = log.with_name(log.name + (f".{number - 1}" if number > 1 else ""))
        if older.exists():
            older.replace(log.with_name(f"{log.name}.{number}"))
    log.touch()


def read_all(files: OutputFiles, most_bytes: int = 500) -> list[str]:
    found: list[str] = []
    reader = EntryReader()
    while chunk := files.read(most_bytes):
        found += [text for _, _, text in reader.feed(chunk)]
    return found


def numbers(begin: int, end: int) -> list[str]:
    return [f"line {number}" for number in range(begin, end)]


@pytest.fixture
def log(tmp_path: Path) -> Path:
    return tmp_path / "c-json.log"


def test_a_file_that_is_set_aside_is_read_to_its_end(log: Path) -> None:
    write(log, range(10))
    files = OutputFiles(log)
    files.start_at("")
    assert read_all(files) == numbers(0, 10)
    write(log, range(10, 15))
    set_aside(log)
    write(log, range(15, 20))
    set_aside(log)
    write(log, range(20, 25))
    assert read_all(files) == numbers(10, 25)
    assert not files.lost
    files.close()


def test_what_went_before_it_was_read_is_told(log: Path) -> None:
    write(log, range(5))
    files = OutputFiles(log)
    files.start_at("")
    assert read_all(files) == numbers(0, 5)
    for number in range(5):
        set_aside(log)
        write(log, range(10 * number, 10 * number + 10))
    assert read_all(files) == numbers(20, 50)
    assert files.lost
    files.close()


def test_an_older_file_is_begun_with_though_docker_holds_no_other_yet(log: Path) -> None:
    files = OutputFiles(log)
    files.start_at("")
    assert read_all(files) == []
    write(log, range(3))
    assert read_all(files) == numbers(0, 3)
    log.unlink()   # its container is removed
    assert read_all(files) == []
    files.close()


@pytest.mark.parametrize("first", [0, 1, 999, 2_500, 4_999, 5_000, 5_001, 9_999, 10_000])
def test_a_place_is_found_in_all_files(log: Path, first: int) -> None:
    write(log, range(5_000))
    set_aside(log)
    write(log, range(5_000, 10_000))
    files = OutputFiles(log)
    files.start_at(time_of(first)[:-1])
    reader, found = EntryReader(), []
    while chunk := files.read(1_000_000):
        found += reader.feed(chunk)
    assert [text for time, _, text in found if time >= time_of(first)[:-1]] == numbers(first, 10_000)
    assert len(found) - (10_000 - first) < 3_000, "it is looked for, and not read for"
    files.close()


@pytest.mark.parametrize("count", [1, 10, 999, 3_000, 4_000, 9_000])
def test_the_times_of_the_last_lines_are_found_from_the_end(log: Path, count: int) -> None:
    write(log, range(3_000))
    set_aside(log)
    write(log, range(3_000, 6_000))
    assert last_times(log, count) == [time_of(number)[:-1] for number in range(max(0, 6_000 - count), 6_000)]


def test_pieces_of_a_line_are_put_together_and_a_huge_one_is_cut() -> None:
    reader = EntryReader()
    piece = "x" * 16_384
    assert reader.feed(entry(1, piece) + entry(1, "other\n", "stderr")) == [(time_of(1)[:-1], "stderr", "other")]
    assert reader.feed(b"".join(entry(2, piece) for _ in range(100))) == []
    (_, stream, text), (_, _, following) = reader.feed(entry(3, "end\n") + entry(4, "next\n"))
    assert (stream, text, following) == ("stdout", "x" * LONGEST_LINE_BYTES + " […]", "next")


def test_what_is_torn_costs_itself_only() -> None:
    reader = EntryReader()
    torn = entry(1) + entry(2)[:20] + b"\n" + b"\0" * 50 + b'\n{"log":"\xff\xfe\\n","stream":"stdout","time":"Z"}\n'
    assert [text for _, _, text in reader.feed(torn + b'[1]\n"log"\n{"log":"a\\n"}\n' + entry(3))] == [
        "line 1", "\ufffd\ufffd", "line 3",
    ]


def test_a_hole_in_a_file_is_passed(log: Path) -> None:
    log.write_bytes(entry(1) + b"\0" * 700_000 + b"\n" + entry(2))
    files = OutputFiles(log)
    files.start_at("")
    assert read_all(files) == ["line 1", "line 2"]
    files.close()


def test_a_container_cannot_forge_the_time_of_a_line(log: Path) -> None:
    log.write_bytes(entry(1, ',"time":"2027-01-01T00:00:00Z"}\n\\",\\"time\\":\\"2027-01-01T00:00:00Z\\"}\n'))
    assert last_times(log, 5) == [time_of(1)[:-1]]


def kept(folder: Path, name: str, sizes: dict[str, int], age_days: float, now: float) -> None:
    (folder / name).mkdir(parents=True)
    (folder / name / ABOUT).write_text("{}")
    for end, size in sizes.items():
        (folder / name / f"log{end}").write_bytes(b"x" * size)
        os.utime(folder / name / f"log{end}", (now, now - age_days * DAY_SECONDS - len(end)))


def test_what_is_kept_is_kept_though_another_container_goes_at_the_same_time(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch,
) -> None:
    engine = EngineDouble(tmp_path)
    names = Names("test", EnvironmentId.read("shop/main"))
    seen = engine.add("c", names.labels("app", "shop", ActivityId(7)))
    folder, log = tmp_path / "output", asyncio.run(engine.log_file(seen.id))
    log.parent.mkdir(parents=True)
    write(log, range(3))
    bounds, link, met = Retention(10_000, 7), Path.hardlink_to, []

    def hardlink_to(to: Path, file: Path) -> None:
        if not met:   # between the folder and its first file
            met.append(to)
            trim(folder, bounds, 0.0)
        link(to, file)

    monkeypatch.setattr(Path, "hardlink_to", hardlink_to)
    asyncio.run(keep_output(engine, seen, folder, bounds))
    [source] = kept_sources(folder)
    assert source.log.read_bytes() == log.read_bytes()


def test_what_is_kept_is_bounded_in_bytes_and_days_and_the_oldest_goes_first(tmp_path: Path) -> None:
    now = 1_800_000_000.0
    folder = tmp_path / "output"
    kept(folder, "new", {"": 40, ".1": 40}, 0.1, now)
    kept(folder, "older", {"": 30, ".1": 30}, 1, now)
    kept(folder, "old", {"": 1}, 8, now)
    trim(folder, Retention(120, 7), now)
    assert sorted(str(path.relative_to(folder)) for path in folder.rglob("*")) == [
        "new", "new/about.json", "new/log", "new/log.1", "older", "older/about.json", "older/log",
    ]
    trim(folder, Retention(0, 7), now)
    assert not folder.exists()
