"""What an environment prints, as one reader sees it: in order, once, and on from a place."""

from __future__ import annotations

import asyncio
import json
import random
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from deployd.activity.masking import Masker
from deployd.clock import SystemClock
from deployd.engine.container_cache import ContainerCache
from deployd.engine.names import Names
from deployd.errors import DeployError
from deployd.ids import ActivityId, EnvironmentId, EnvironmentName, ProjectId
from deployd.output.follower import OutputFollower, Span
from deployd.output.outputs import Outputs
from deployd.output.sources import OutputFilter, Source, cron_sources
from tests.doubles.engine import EngineDouble
from tests.unit.output.test_output_files import entry, set_aside, time_of, write

NOW = "2026-05-04T12:00:00"


SHOP, MAIN = ProjectId("shop"), EnvironmentName("main-bvxea6p")
SHOP_MAIN = EnvironmentId(SHOP, MAIN)


class Environment:
    """Containers that print, and who follows them."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.sources: list[Source] = []
        self.masker = Masker()

    def container(self, name: str, **more: Any) -> Path:
        log = self.folder / f"{name}-json.log"
        values = {"kind": "app", "app": name, "version": 7, **more}
        self.sources.append(Source(name, log, name=name, **values))
        return log

    def follow(self, *, start: str = "", lines: int | None = None, end: str = NOW) -> OutputFollower:
        async def find() -> list[Source]:
            return self.sources

        return OutputFollower(
            find, ("shop", "main-bvxea6p"), self.masker.clean_all, asyncio.Semaphore(1), Span(start, end, lines),
            look_seconds=0.001,
        )


@pytest.fixture
def environment(tmp_path: Path) -> Environment:
    return Environment(tmp_path)


async def whole(follower: OutputFollower) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = []
    while text := await follower.rest():
        found += map(json.loads, text.splitlines())
    follower.close()
    return found


async def taken(follower: OutputFollower, count: int) -> list[dict[str, Any]]:
    """The next lines of one that is followed."""
    found: list[dict[str, Any]] = []
    async with asyncio.timeout(10):
        while len(found) < count:
            found += map(json.loads, (await follower.take() or b"").splitlines())
    return found


def texts(found: Sequence[dict[str, Any]]) -> list[str]:
    return [line["text"] for line in found]


async def test_lines_of_all_stand_in_the_order_in_which_they_were_printed(environment: Environment) -> None:
    dice = random.Random(1)
    logs = [environment.container(name) for name in ("a", "b", "c")]
    for number in range(200):
        write(logs[dice.randrange(3)], [number])
    write(logs[1], range(200, 8_000))   # several rounds
    write(logs[2], range(8_000, 8_500))
    found = await whole(environment.follow())
    assert texts(found) == [f"line {number}" for number in range(8_500)]
    assert found[0] == {
        "time": time_of(0), "project": "shop", "environment": "main-bvxea6p", "app": "a", "kind": "app", "name": "a",
        "version": 7, "stream": "stdout", "text": "line 0",
    }


async def test_who_follows_gets_everything_once_over_rotations_and_other_containers(environment: Environment) -> None:
    log = environment.container("a", version=1)
    write(log, range(5))
    follower = environment.follow()
    assert texts(await taken(follower, 5)) == [f"line {number}" for number in range(5)]
    write(log, range(5, 8))
    set_aside(log)
    write(log, range(8, 10))
    other = environment.container("b", version=2)
    write(other, range(10, 15))
    found = await taken(follower, 10)
    assert texts(found) == [f"line {number}" for number in range(5, 15)]
    assert [line["version"] for line in found] == [1] * 5 + [2] * 5
    log.unlink()
    del environment.sources[0]
    write(other, [15])
    assert texts(await taken(follower, 1)) == ["line 15"]
    assert [*follower._readers] == ["b"], "what is gone is closed"
    follower.close()


async def test_a_reader_goes_on_behind_the_last_line_that_it_had(environment: Environment) -> None:
    for name in ("a", "b"):
        write(environment.container(name), range(0 if name == "a" else 1, 3_000, 2))
    everything = texts(await whole(environment.follow()))
    for cut in (0, 1, 1_500, 2_998, 2_999):
        place = time_of(cut)[:-1] + "\0"
        assert texts(await whole(environment.follow(start=place))) == everything[cut + 1:]


async def test_what_is_kept_in_several_files_is_read_to_its_end(environment: Environment) -> None:
    log = environment.container("a", grows=False)
    for number in range(3):
        write(log, range(number * 10, number * 10 + 10))
        if number < 2:
            set_aside(log)
    with log.open("ab") as file:
        file.write(entry(30, "without an end"))
    for found in (await whole(environment.follow()), await taken(environment.follow(), 31)):
        assert texts(found) == [*(f"line {number}" for number in range(30)), "without an end"]


async def test_lines_behind_old_ones_and_a_long_one_are_come_to(environment: Environment) -> None:
    log = environment.container("a")
    for number in range(80):   # the more there are, the less is read of each at once
        environment.container(f"silent-{number}").touch()
    short = b"".join(entry(number, "o" * 49 + "\n") for number in range(100, 200)) * 10   # 100 KB or a little more
    data = short + entry(200, "\x01" * 10_000 + "\n") + short[:short.index(b"\n", 46_000) + 1]
    data += entry(300, "\x01" * 6_700 + "\n") + b"".join(entry(number) for number in range(400, 403))
    log.write_bytes(data)
    assert texts(await whole(environment.follow(start=time_of(400)[:-1]))) == ["line 400", "line 401", "line 402"]


async def test_the_last_lines_are_those_of_all_together(environment: Environment) -> None:
    write(environment.container("a"), range(1_000))
    write(environment.container("b"), range(1_000, 1_010))
    environment.container("silent")
    assert texts(await whole(environment.follow(lines=20))) == [f"line {number}" for number in range(990, 1_010)]
    assert texts(await whole(environment.follow(lines=0))) == []
    assert len(await whole(environment.follow(lines=9_999))) == 1_010


async def test_a_container_that_prints_without_end_has_an_end_for_who_does_not_follow(
    environment: Environment,
) -> None:
    log = environment.container("a")
    write(log, range(10_000))
    assert len(await whole(environment.follow(end=time_of(99)[:-1]))) == 100
    follower = environment.follow(end=time_of(99)[:-1])
    while await follower.rest():
        write(log, range(10_000, 20_000))   # as fast as it is read, and faster
    (reader,) = follower._readers.values()
    assert reader.newest < time_of(10_000), "the rest is not even looked at"
    follower.close()


async def test_lost_lines_are_told_where_they_are_missing(environment: Environment) -> None:
    log = environment.container("a")
    write(log, range(3))
    follower = environment.follow()
    await taken(follower, 3)
    for number in range(1, 6):
        set_aside(log)
        write(log, [number * 10])
    found = await taken(follower, 4)
    assert [line["stream"] for line in found] == ["deployd", "stdout", "stdout", "stdout"]
    assert "lost" in found[0]["text"]
    assert found[0]["time"] == time_of(2)
    follower.close()


async def test_secrets_are_masked_and_terminals_are_told_nothing(environment: Environment) -> None:
    environment.masker.learn(["s3cr3t-of-the-shop", "-----BEGIN KEY-----\nAAAABBBBCCCCDDDD\nEEEEFFFFGGGGHHHH\n"])
    log = environment.container("a")
    printed = ["\x1b[2J\x1b]0;title\x07plain", "the s3cr3t-\x1b[31mof-the-shop", "EEEEFFFFGGGGHHHH", "a\tb\u202e"]
    log.write_bytes(b"".join(entry(number, f"{text}\n") for number, text in enumerate(printed)))
    assert texts(await whole(environment.follow())) == ["plain", "the ***", "***", "a\tb\u202e"]


async def test_runs_of_crons_stand_among_the_others(environment: Environment, tmp_path: Path) -> None:
    crons = tmp_path / "crons"
    crons.mkdir()
    record = {"due": "x", "ended": "2026-05-04T10:00:00.500000+00:00", "seconds": 0.2, "state": "failed", "status": 3,
              "said": "", "version": 9, "app": "shop", "cron": "nightly", "output": ["one", "two"]}
    (crons / "shop-nightly.log").write_text(json.dumps(record) + "\n{torn\n")
    environment.sources += cron_sources(crons)
    write(environment.container("a"), [499, 501])
    found = await whole(environment.follow())
    assert texts(found) == ["line 499", "one", "two", "run failed with exit status 3 after 0.2 s", "line 501"]
    assert {key: found[1][key] for key in ("app", "kind", "name", "version", "stream")} == {
        "app": "shop", "kind": "cron", "name": "nightly", "version": 9, "stream": "output",
    }
    assert texts(await whole(environment.follow(lines=1))) == ["line 501"]


async def test_a_cron_that_prints_long_lines_is_shown_whole(environment: Environment, tmp_path: Path) -> None:
    crons, lines = tmp_path / "crons", [f"{number} " + "x" * 16_000 for number in range(200)]
    crons.mkdir()
    records = [
        {"ended": f"2026-05-04T10:00:0{number}+00:00", "seconds": 0.2, "state": "success", "status": 0, "app": "shop",
         "cron": "nightly", "output": lines} for number in range(2)
    ]
    (crons / "shop-nightly.log").write_text("".join(json.dumps(record) + "\n" for record in records))
    environment.sources += cron_sources(crons)
    told = [*lines, "run success with exit status 0 after 0.2 s"]
    assert texts(await whole(environment.follow())) == [*told, *told]
    assert texts(await whole(environment.follow(lines=5))) == told, "lines of a run have one time"


async def test_a_reader_that_leaves_amid_a_round_leaves_no_file_open(environment: Environment) -> None:
    write(environment.container("a"), range(10))
    follower = environment.follow()
    await taken(follower, 10)
    with follower._reading:   # a thread is at it
        follower.close()
        assert follower._readers
    await asyncio.sleep(0.05)
    assert not follower._readers
    assert await follower.take() is None


async def test_who_reads_goes_on_while_docker_is_away_and_is_told_when_it_is_from_the_beginning(
    tmp_path: Path,
) -> None:
    log = tmp_path / "containers" / "a" / "a-json.log"
    log.parent.mkdir(parents=True)
    write(log, range(3))
    engine = EngineDouble(tmp_path)
    engine.add("a", Names("test", SHOP_MAIN).labels("app", "shop", ActivityId(7)))
    cache = ContainerCache(engine, "test")
    outputs = Outputs(engine, cache, lambda *_: tmp_path, lambda *_: tmp_path, Masker().clean_all, SystemClock())
    follower = await outputs.follow(SHOP_MAIN, OutputFilter(), start="", lines=None)
    assert len(await taken(follower, 3)) == 3
    engine.reachable, cache.generation = False, 1
    write(log, [3])
    assert texts(await taken(follower, 1)) == ["line 3"]
    with pytest.raises(DeployError):
        await outputs.follow(SHOP_MAIN, OutputFilter(), start="", lines=None)
    outputs.end_followers()
    assert await follower.take() is None
    follower.close()


async def test_silence_is_told_and_the_end_too(environment: Environment) -> None:
    environment.container("a")
    follower = environment.follow()
    follower._look_seconds = 5.0
    assert await asyncio.gather(follower.take(), ended_soon(follower)) == [None, None]


async def ended_soon(follower: OutputFollower) -> None:
    await asyncio.sleep(0.01)
    follower.end()


@pytest.mark.parametrize(("wanted", "found"), [
    (OutputFilter(), "app web mailer db nightly"), (OutputFilter(app="shop"), "app web"),
    (OutputFilter(worker="mailer"), "mailer"),
    (OutputFilter(worker="shop--mailer"), "mailer"), (OutputFilter(worker="blog--mailer"), ""),
    (OutputFilter(service="db"), "db"),
    (OutputFilter(cron="nightly", service="db"), "db nightly"), (OutputFilter(version=3), ""),
    (OutputFilter(version=2), "app web mailer"), (OutputFilter(version=2, worker="mailer"), "mailer"),
    (OutputFilter(app="none"), ""),
])
def test_a_reader_says_whom_it_wants(wanted: OutputFilter, found: str) -> None:
    log = Path("log")
    sources = {
        "app": Source("1", log, "app", "shop", "shop", 2), "web": Source("2", log, "web", "shop", "shop", 2),
        "mailer": Source("3", log, "worker", "shop", "mailer", 2), "db": Source("4", log, "service", "", "db", None),
        "nightly": Source("5", log, "cron", "shop", "nightly", None),
    }
    assert [name for name, source in sources.items() if wanted.has(source)] == found.split()
