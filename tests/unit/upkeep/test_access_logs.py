"""The access log of all environments is sorted into one for each, bounded, counted, and read again."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import Any

import pytest

from deployd.ids import EnvironmentId, EnvironmentName, ProjectId
from deployd.release.paths import Places
from deployd.router.access_line import parse_access_line
from deployd.router.control import RouterAbsent
from deployd.upkeep import access_logs
from deployd.upkeep.access_logs import AccessLogs, older
from deployd.upkeep.access_tail import AccessTail
from deployd.upkeep.traffic import Traffic


def line(environment: str, number: int, status: int = 200, seconds: float = 0.01) -> bytes:
    text = json.dumps({"path": f"/{number}", "status": status})
    return f"{environment}\t{status:03}\t{seconds}\t{text}\n".encode()


class Desk:
    """A collector over a folder, and what it made."""

    def __init__(self, folder: Path, most_bytes: int = 1_000_000) -> None:
        self.source = folder / "access.log"
        self.places = Places(folder / "state", folder / "run")
        self.traffic = Traffic()
        self.reopened = 0
        self.refuses = False
        self.most_bytes = most_bytes
        for name in ("main", "staging"):
            self.file(name).parent.mkdir(parents=True, exist_ok=True)

    def file(self, environment: str) -> Path:
        return self.places.access_log(EnvironmentId(ProjectId("shop"), EnvironmentName(environment)))

    def paths(self, environment: str) -> list[str]:
        found = []
        for file in (older(self.file(environment)), self.file(environment)):
            with suppress(FileNotFoundError):
                found += [json.loads(text)["path"] for text in file.read_text().splitlines()]
        return found

    def write(self, *lines: bytes) -> None:
        with self.source.open("ab") as found:
            found.write(b"".join(lines))

    async def reopen(self) -> None:
        if self.refuses:
            raise RouterAbsent("no router")
        self.reopened += 1
        self.source.touch()

    @asynccontextmanager
    async def serving(self) -> AsyncIterator[None]:
        logs = AccessLogs(self.source, self.places, self.traffic, self.reopen, most_bytes=self.most_bytes)
        async with asyncio.TaskGroup() as group:
            task = group.create_task(logs.serve())
            yield
            task.cancel()

    async def sort(self, until: Callable[[], bool]) -> None:
        async with self.serving(), asyncio.timeout(20):
            while not until():
                await asyncio.sleep(0.01)


@pytest.fixture
def desk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Desk:
    monkeypatch.setattr(access_logs, "LOOK_SECONDS", 0.01)
    monkeypatch.setattr(access_logs, "LATE_SECONDS", 0.05)
    return Desk(tmp_path)


def test_a_line_that_nginx_did_not_write_whole_is_none() -> None:
    whole = line("shop/main", 1, 502, 1.5).rstrip(b"\n")
    parsed = parse_access_line(whole)
    assert parsed is not None
    assert (parsed.environment, parsed.status, parsed.seconds) == ("shop/main", 502, 1.5)
    assert [parse_access_line(whole[:length]) for length in (0, 5, 14, len(whole) - 1)] == [None] * 4
    assert parse_access_line(b"shop/main\tx\t1\t{}") is None


async def test_lines_go_to_their_environments_and_are_counted(desk: Desk) -> None:
    desk.write(line("shop/main", 1), line("shop/staging", 2, 404, 0.3), line("shop/main", 3, 0, 400), b"torn\n",
               line("shop/gone", 4))
    desk.write(line("shop/main", 5)[:-3])
    await desk.sort(lambda: "shop/gone" in desk.traffic.visits and desk.paths("main") == ["/1", "/3"])
    assert desk.paths("staging") == ["/2"]
    assert not desk.file("gone").parent.exists()
    visits = desk.traffic.visits["shop/main"]
    assert (visits.classes["2xx"], visits.classes["4xx"], visits.seconds) == (1, 1, 400.01)
    assert (visits.buckets[1], visits.buckets[-1]) == (1, 1)
    assert desk.traffic.lost_lines == 1
    desk.traffic.forget_all_but(["shop/main"])
    assert set(desk.traffic.visits) == {"shop/main"}


async def test_a_daemon_that_comes_back_goes_on_where_it_was(desk: Desk) -> None:
    desk.write(line("shop/main", 1))
    await desk.sort(lambda: desk.paths("main") == ["/1"])
    await asyncio.sleep(0.05)
    desk.write(line("shop/main", 2))
    await desk.sort(lambda: len(desk.paths("main")) > 1)
    assert desk.paths("main") == ["/1", "/2"]


async def test_the_log_of_an_environment_is_bounded(desk: Desk) -> None:
    desk.most_bytes = 4000
    async with desk.serving():
        for number in range(400):
            desk.write(line("shop/main", number))
            if number % 10 == 9:
                await asyncio.sleep(0.02)
        async with asyncio.timeout(20):
            while "/399" not in desk.paths("main"):
                await asyncio.sleep(0.01)
    found = desk.paths("main")
    assert found == [f"/{number}" for number in range(400 - len(found), 400)]
    sizes = [file.stat().st_size for file in (desk.file("main"), older(desk.file("main"))) if file.exists()]
    assert sum(sizes) < 6000


async def test_a_full_log_of_nginx_is_turned_and_nothing_is_lost(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(access_logs, "TURN_BYTES", 1000)
    async with desk.serving(), asyncio.timeout(30):
        for number in range(300):
            desk.write(line("shop/main", number))
            await asyncio.sleep(0.001)
        while "/299" not in desk.paths("main"):
            await asyncio.sleep(0.01)
    assert desk.reopened > 0
    assert desk.paths("main") == [f"/{number}" for number in range(300)]


async def test_a_router_that_is_away_goes_on_with_the_log_it_has(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(access_logs, "TURN_BYTES", 10)
    desk.refuses = True
    desk.write(line("shop/main", 1))
    await desk.sort(lambda: desk.paths("main") == ["/1"])
    desk.write(line("shop/main", 2))
    await desk.sort(lambda: len(desk.paths("main")) > 1)
    assert desk.paths("main") == ["/1", "/2"]


@pytest.mark.parametrize("reopened", [False, True])
async def test_a_daemon_that_was_killed_amid_a_turn_finishes_it(desk: Desk, *, reopened: bool) -> None:
    desk.write(line("shop/main", 1))
    desk.source.rename(desk.source.with_suffix(".old"))
    if reopened:
        desk.write(line("shop/main", 2))
    await desk.sort(lambda: len(desk.paths("main")) == 1 + reopened)
    assert desk.paths("main") == ["/1", "/2"][:1 + reopened]
    assert not desk.source.with_suffix(".old").exists()


async def all_of(tail: AccessTail) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = []
    while taken := await tail.rest():
        found += taken
    return found


async def test_a_long_log_is_read_in_parts(tmp_path: Path) -> None:
    """So that a hundred who read it take neither the daemon's memory nor its time."""
    file = tmp_path / "access.log"
    file.write_text("".join(f'{{"n": {number}, "path": "{"x" * 100}"}}\n' for number in range(50_000)))
    tail = AccessTail(file, 40_000)
    parts = []
    while taken := await tail.rest():
        parts.append(len(taken))
    assert sum(parts) == 40_000
    assert max(parts) < 4_000


async def test_readers_get_the_last_lines_of_both_files_and_those_that_come(tmp_path: Path) -> None:
    file = tmp_path / "access.log"
    older(file).write_text("".join(f'{{"n": {number}}}\n' for number in range(20_000)))
    file.write_bytes(b'{"n": 20000, "status":000}\n{"n": "\xff"}\nnot json\n')
    assert [item["n"] for item in await all_of(AccessTail(file, 5))] == [19_998, 19_999, 20_000, "\ufffd"]
    assert len(await all_of(AccessTail(file, 10_000))) == 9_999
    assert [item["n"] for item in await all_of(AccessTail(file, 50_000))][:20_001] == list(range(20_001))
    assert await AccessTail(file, 0).rest() == []
    tail = AccessTail(file, 1)
    await all_of(tail)
    with file.open("a") as found:
        found.write('{"n": 1}\n{"n": 2')
    assert await tail.take() == [{"n": 1}]
    file.replace(older(file))
    file.write_text('{"n": 3}\n')
    assert await tail.take() == [{"n": 3}]
    tail.end()
    assert await tail.take() is None
    assert await AccessTail(tmp_path / "none", 5).rest() == []
