"""The activity log: written once, masked, numbered, bounded; followers miss nothing and end with their activity."""

import asyncio
import json
import os
import resource
from collections.abc import Iterator
from pathlib import Path

import pytest

from deployd.activity import follower as follower_module
from deployd.activity import log as log_module
from deployd.activity import recent_lines
from deployd.activity.follower import End
from deployd.activity.line import Line, parse_line, render_line
from deployd.activity.log import Logs
from deployd.activity.masking import Masker
from deployd.errors import DeployError
from deployd.ids import ActivityId
from tests.doubles.activity_world import LoopClock

ONE = ActivityId(1)


@pytest.fixture
def logs(tmp_path: Path) -> Logs:
    return Logs(tmp_path / "logs", LoopClock(), Masker(["geheim-123"]))


async def read_all(logs: Logs, after: int = 0) -> list[Line]:
    follower = logs.follow(ONE, after)
    found: list[Line] = []
    while lines := await follower.take():
        found += lines
    follower.close()
    return found


async def test_a_log_is_numbered_and_goes_on_after_a_restart(logs: Logs) -> None:
    for text in ("one", "two"):
        tell = logs.open(ONE)
        tell.phase("build")
        tell.line(text, app="shop")
        if text == "two":
            tell.end("success", "done")
        tell.close()
    lines = await read_all(logs)
    assert [(line.number, line.kind, line.text) for line in lines] == [
        (1, "phase", "build"), (2, "line", "one"), (3, "phase", "build"), (4, "line", "two"), (5, "end", "done"),
    ]
    assert [line.number for line in await read_all(logs, after=3)] == [4, 5]


async def test_what_a_program_said_to_an_earlier_daemon_is_not_written_again(logs: Logs) -> None:
    tell = logs.open(ONE)
    tell.line("from a build", app="shop", stream="output")
    for app in ("shop", "api"):
        say = await tell.program("deploy hook runs", app=app, goes_on=False)
        for text in ("one", "geheim-123"):
            say(text)
    tell.close()
    tell = logs.open(ONE)
    tell.phase("hooks")
    again = [await tell.program("deploy hook runs", app=app, goes_on=True) for app in ("shop", "api")]
    for text in ("one", "geheim-123", "three"):
        for say in again:
            say(text)
    first = await tell.program("post-deploy hook runs", app="shop", goes_on=True)   # that was never told
    first("one")
    tell.end("success", "done")
    tell.close()
    lines = await read_all(logs)
    assert [line.text for line in lines if line.app == "shop"] == [
        "from a build", "deploy hook runs", "one", "***", "three", "post-deploy hook runs", "one",
    ]
    assert [line.text for line in lines if line.app == "api"] == ["deploy hook runs", "one", "***", "three"]


async def test_a_phase_in_which_nothing_is_said_may_leave_no_line(logs: Logs) -> None:
    tell = logs.open(ONE)
    tell.phase("watch", at_once=False)
    tell.phase("watch", at_once=False)
    assert [found.phase for found in [logs.phase(ONE)] if found] == ["watch"]
    tell.line("watched")
    tell.line("longer")
    tell.phase("more", at_once=False)
    tell.end("success", "done")
    tell.close()
    assert [(line.number, line.kind, line.text) for line in await read_all(logs)] == [
        (1, "phase", "watch"), (2, "line", "watched"), (3, "line", "longer"), (4, "end", "done"),
    ]


async def test_secrets_are_masked_wherever_they_stand(logs: Logs, tmp_path: Path) -> None:
    tell = logs.open(ONE)
    tell.line("password geheim-123!", stream="stdout")
    tell.error(DeployError("geheim-123 failed", where="geheim-123:1", evidence=("| geheim-123",), hint="geheim-123"))
    tell.line("x" * (log_module.LONGEST_TEXT - 4) + "geheim-123")
    tell.end("failed", "for geheim-123")
    tell.close()
    text = logs.path(ONE).read_text()
    assert "geheim" not in text
    assert text.count("***") == 7


async def test_the_colours_of_programs_are_kept_unless_they_lie_in_a_line_with_a_secret(logs: Logs) -> None:
    tell = logs.open(ONE)
    tell.line("all \x1b[31mred\x1b[0m", stream="stdout")
    tell.line("\x1b[31mgeh\x1b[32meim-123\x1b[0m", stream="stdout")
    tell.line("\x1b[31mof deployd\x1b[0m")
    tell.line("plain", stream="stdout")
    tell.end("success", "done")
    tell.close()
    assert [(line.text, line.colours) for line in (await read_all(logs))[:-1]] == [
        ("all red", ((4, 3, "red"),)), ("***", ()), ("of deployd", ()), ("plain", ()),
    ]
    assert logs.path(ONE).read_text().count("colours") == 1


@pytest.mark.parametrize("colours", ['[[0, 1, "x\\" onclick="]]', '[[0, 1]]', "[7]", '[["a", 1, "red"]]'])
def test_a_style_that_is_none_makes_no_line(colours: str) -> None:
    text = '{"number": 1, "at": "", "kind": "output", "phase": "", "text": "a", "more": [], "colours": %s}'
    assert parse_line(text % colours) is None
    assert parse_line(text % '[[0, 1, "red bold"]]') is not None


def test_the_masker_prefers_the_longest_secret_and_leaves_short_ones() -> None:
    masker = Masker(["abcdefg", "abcdefgh", "abc"])
    masker.learn(["zzzzzz", "abcdef"])
    assert masker.mask("abcdefghi abcdefg abcdefi abc zzzzzzzzzzzzz") == "***i *** ***i abc ***z"
    assert Masker().mask("abcdefg") == "abcdefg"


async def test_a_very_long_line_is_cut_with_a_mark(logs: Logs) -> None:
    tell = logs.open(ONE)
    tell.line("x" * 100_000, stream="stdout")
    tell.end("success", "done")
    tell.close()
    line, _ = await read_all(logs)
    assert len(line.text) < 20_000
    assert line.text.endswith("[…]")


async def test_a_log_that_grows_too_large_is_cut_but_keeps_its_errors_and_its_end(
    logs: Logs, monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(log_module, "LARGEST_LOG_BYTES", 2_000)
    tell = logs.open(ONE)
    for _ in range(100):
        tell.line("output " * 10, stream="stdout")
    tell.error(DeployError("it failed"))
    tell.end("failed", "because")
    tell.close()
    lines = await read_all(logs)
    assert len(lines) < 20
    assert [line.kind for line in lines[-3:]] == ["warn", "error", "end"]


async def test_what_a_death_left_torn_is_skipped_and_hurts_no_later_line(logs: Logs) -> None:
    tell = logs.open(ONE)
    tell.line("one")
    tell.close()
    with logs.path(ONE).open("ab") as file:
        file.write(b'{"number": 2, "at": "2026')
    tell = logs.open(ONE)
    tell.line("three")
    tell.end("success", "done")
    tell.close()
    lines = await read_all(logs)
    assert [line.text for line in lines] == ["one", "three", "done"]
    assert [line.number for line in lines] == sorted({line.number for line in lines})


@pytest.fixture
def files_of_1000_bytes() -> Iterator[None]:
    """As a full disk: a write stops in the middle, later ones fail."""
    import signal

    before, handler = resource.getrlimit(resource.RLIMIT_FSIZE), signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (1_000, before[1]))
    yield
    resource.setrlimit(resource.RLIMIT_FSIZE, before)
    signal.signal(signal.SIGXFSZ, handler)


async def test_a_full_disk_loses_lines_and_says_so_later_but_fails_nothing(
    logs: Logs, files_of_1000_bytes: None,
) -> None:
    tell = logs.open(ONE)
    for number in range(20):
        tell.line(f"line {number} {'x' * 50}")
    _, most = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (most, most))
    tell.line("room again")
    tell.end("success", "done")
    tell.close()
    lines = await read_all(logs)
    lost = 20 - sum(line.text.startswith("line ") for line in lines)
    assert lost > 10
    assert [line.text for line in lines[-3:]] == [
        f"{lost} lines are missing here: they could not be written", "room again", "done",
    ]


async def test_followers_get_what_they_missed_and_what_comes(logs: Logs) -> None:
    tell = logs.open(ONE)
    tell.line("before")
    early, late = logs.follow(ONE), logs.follow(ONE, after=1)
    assert [line.text for line in await early.take() or []] == ["before"]

    async with asyncio.TaskGroup() as group:
        waiting = [group.create_task(follower.take()) for follower in (early, late)]
        await asyncio.sleep(0.05)
        tell.line("after")
    assert [[line.text for line in task.result() or []] for task in waiting] == [["after"], ["after"]]
    tell.end("success", "done")
    tell.close()
    assert [line.kind for line in await early.take() or []] == ["end"]
    assert await early.take() is None
    late.close()


async def test_who_follows_what_is_written_does_not_read_its_file(
    logs: Logs, monkeypatch: pytest.MonkeyPatch,
) -> None:
    tell = logs.open(ONE)
    tell.line("one")
    follower, late = logs.follow(ONE), logs.follow(ONE, after=1)
    reads: list[object] = []
    monkeypatch.setattr(follower_module.Follower, "_read", lambda self: reads.append(self) or [])
    for number in range(2, 5):
        tell.line(str(number))
        assert [line.number for line in await follower.take() or ()] == ([1, 2] if number == 2 else [number])
    assert [line.number for line in await late.take() or ()] == [2, 3, 4]
    assert reads == []
    monkeypatch.undo()
    tell.end("success", "done")
    tell.close()
    assert [line.kind for line in await follower.take() or ()] == ["end"]
    assert await follower.take() is None
    assert [line.number for line in await late.take() or ()] == [5]


async def test_who_is_far_behind_reads_the_file_and_misses_nothing(
    logs: Logs, monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(recent_lines, "MOST_LINES", 10)
    tell = logs.open(ONE)
    follower = logs.follow(ONE)
    seen: list[int] = []
    for number in range(1, 101):
        tell.line(str(number))
        if number in (5, 50, 51, 99):
            seen += [line.number for line in await follower.take() or ()]
    tell.end("success", "done")
    while lines := await follower.take():
        seen += [line.number for line in lines]
    assert seen == list(range(1, 102))
    tell.close()


async def test_a_follower_reads_a_log_of_many_blocks_without_a_gap(
    logs: Logs, monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(follower_module, "READ_BYTES", 333)
    tell = logs.open(ONE)
    for number in range(200):
        tell.line(f"line {number}")
    tell.end("success", "done")
    tell.close()
    assert [line.number for line in await read_all(logs)] == list(range(1, 202))
    assert [line.number for line in await read_all(logs, after=150)] == list(range(151, 202))


async def test_who_has_all_of_a_log_that_ended_is_told_no_other_end(
    logs: Logs, monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(follower_module, "HEARTBEAT_SECONDS", 0.01)
    tell = logs.open(ONE)
    tell.line("one")
    tell.end("success", "done")
    tell.close()
    follower = logs.follow(ONE, after=2)
    while lines := await follower.take():
        raise AssertionError(lines)


async def test_what_is_handed_on_at_once_is_little_however_much_there_is(logs: Logs) -> None:
    tell = logs.open(ONE)
    followers = [logs.follow(ONE), logs.follow(ONE, after=250)]
    for number in range(1, 501):
        tell.line(f"{number} {'x' * 15_000}", stream="stdout")
    tell.end("success", "done")
    for follower, first in zip(followers, (1, 251), strict=True):
        seen: list[int] = []
        while lines := await follower.take():
            assert sum(len(line.text) for line in lines) < 60_000
            seen += [line.number for line in lines]
        assert seen == list(range(first, 502))
    tell.close()


async def test_silence_gives_heartbeats(logs: Logs, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(follower_module, "HEARTBEAT_SECONDS", 0.01)
    follower = logs.follow(ONE)
    assert await follower.take() == []
    assert await follower.take() == []
    logs.end_followers()
    assert await follower.take() is None


async def test_an_activity_that_wrote_no_end_is_asked_for_its_own(tmp_path: Path) -> None:
    """One that was superseded while it waited has no log; one whose daemon died before the last line lacks it."""
    ends = {ONE: End("superseded", "a newer push came: activity 2", "2026-01-01T00:00:00+00:00")}

    async def how_ended(activity: ActivityId) -> End | None:
        return ends.get(activity)

    logs = Logs(tmp_path, LoopClock(), Masker(), how_ended)
    follower = logs.follow(ONE)
    assert await follower.take() == [
        Line(1, "2026-01-01T00:00:00+00:00", "end", "", "superseded: a newer push came: activity 2", "", "superseded"),
    ]
    assert await follower.take() is None

    tell = logs.open(ONE)
    tell.line("one")
    follower = logs.follow(ONE)
    assert [line.text for line in await follower.take() or []] == ["one"]
    assert [(line.number, line.kind) for line in await follower.take() or []] == [(2, "end")]
    assert await follower.take() is None
    tell.close()


async def test_the_last_line_is_waited_for_when_the_end_is_known_before_it(tmp_path: Path) -> None:
    async def how_ended(activity: ActivityId) -> End | None:
        return End("failed", "it went wrong", "2026-01-01T00:00:00+00:00")

    logs = Logs(tmp_path, LoopClock(), Masker(), how_ended)
    tell = logs.open(ONE)
    tell.line("one")
    follower = logs.follow(ONE)
    assert [line.text for line in await follower.take() or []] == ["one"]
    async with asyncio.TaskGroup() as group:
        taking = group.create_task(follower.take())
        await asyncio.sleep(0.2)
        tell.end("failed", "push of main failed: it went wrong")
    assert [line.text for line in taking.result() or []] == ["push of main failed: it went wrong"]
    assert await follower.take() is None
    tell.close()


async def test_a_log_can_be_read_only_by_its_owner(logs: Logs) -> None:
    tell = logs.open(ONE)
    tell.close()
    assert os.stat(logs.path(ONE)).st_mode & 0o077 == 0


async def test_odd_bytes_of_programs_are_kept_readable(logs: Logs) -> None:
    tell = logs.open(ONE)
    tell.line("bad \udcff byte, \x00 and \u2028 and \r", stream="stdout")
    tell.end("success", "done")
    tell.close()
    line, end = await read_all(logs)
    assert line.text.startswith("bad")
    assert end.kind == "end"
    assert all(json.loads(raw) for raw in logs.path(ONE).read_bytes().split(b"\n") if raw)


def test_a_log_reads_like_this() -> None:
    told = [
        Line(1, "", "phase", "build", "build"),
        Line(2, "", "line", "build", "composer install", app="shop"),
        Line(3, "", "output", "build", "Installing", app="shop"),
        Line(4, "", "warn", "build", "slow"),
        Line(5, "", "error", "hooks", "the deploy hook ended with exit code 1", where="app.yaml:41",
             more=("| SQLSTATE", "hint: undo it")),
        Line(6, "", "done", "hooks", "hooks took 1.0 s"),
        Line(7, "", "end", "", "push of main failed", where="failed"),
    ]
    assert [text for line in told for text in render_line(line)] == [
        "▸ build",
        "    shop  composer install",
        "    shop  │ Installing",
        "  ! slow",
        "✗ hooks: the deploy hook ended with exit code 1   app.yaml:41",
        "  | SQLSTATE",
        "  hint: undo it",
        "  ✓ hooks took 1.0 s",
        "✗ push of main failed",
    ]
