"""Housekeeping meets a push: what came into use after the look stays, and a disk that is full is made room on."""

from __future__ import annotations

import asyncio
import json
import os
from collections.abc import AsyncIterator, Mapping
from datetime import timedelta
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from deployd.activity.journal import write_result
from deployd.daemon.health import collected
from deployd.deployment.kinds import KINDS
from deployd.engine.observed import VolumeSeen
from deployd.ids import ActivityId, CommitId, ProjectId, SlugKey
from deployd.plan import KeyParts
from deployd.release.paths import Places
from deployd.release.version import AppVersion, Version
from deployd.settings import Settings
from deployd.slugs.kept import KeptResults
from deployd.state import activities, environments, unneeded
from deployd.state.activities import NewActivity, Trigger
from deployd.state.store import StateUnwritable
from deployd.upkeep.collect.collector import SHORT_SECONDS, Collector, seconds_to_wait
from deployd.upkeep.collect.look import MOST_CRON_LOGS
from tests.doubles.engine import EngineDouble
from tests.doubles.store import MemoryStore
from tests.support.upkeep_stand import BASE, KEY, LoopClock

SLUG = SlugKey("a" * 64)


class SlugsDouble:
    def __init__(self) -> None:
        self.there = {SLUG}

    async def list(self) -> tuple[Any, ...]:
        return tuple(SimpleNamespace(key=key, size_bytes=7) for key in sorted(self.there))

    async def all_mounted(self) -> frozenset[SlugKey]:
        return frozenset()

    async def remove_unused(self, key: SlugKey, before: float) -> bool:
        self.there.discard(key)
        return True


class Engine(EngineDouble):
    """Has nothing; `meanwhile` happens when housekeeping has read the rows and looks at the engine."""

    meanwhile: Any = None

    async def volumes(self, labels: Mapping[str, str]) -> tuple[VolumeSeen, ...]:
        if self.meanwhile is not None:
            self.meanwhile()
        return await super().volumes(labels)


class FullStore(MemoryStore):
    """Nothing can be written."""

    async def write(self, query: Any) -> Any:
        raise StateUnwritable("cannot write: the disk is full")


class Stand:
    def __init__(self, folder: Path, store: MemoryStore, **settings: Any) -> None:
        self.places = Places(folder / "state", folder / "run")
        (folder / "state").mkdir()
        self.store, self.slugs, self.engine = store, SlugsDouble(), Engine()
        self.kept = KeptResults(folder / "kept")
        host: Any = SimpleNamespace(
            settings=Settings(directory=folder, **settings), places=self.places, slugs=self.slugs, engine=self.engine,
            kept=self.kept,
        )
        requests: Any = None   # no data goes here, which is an activity
        self.collector = Collector(store, host, LoopClock(), requests, self._pack)   # type: ignore[arg-type]

    async def _pack(self, project: str) -> None: ...

    def push(self, state: str = "in_progress", **more: Any) -> ActivityId:
        db = self.store.db
        number = activities.enqueue(
            db, NewActivity(KINDS["push"], KEY, "main", CommitId("c" * 40), Trigger("ada", "git", **more)), BASE,
        )
        if state != "pending":
            activities.begin(db, number, BASE)
        if state not in ("pending", "in_progress"):
            activities.finish(db, number, state, "", BASE)   # type: ignore[arg-type]
        return number

    def folders(self, number: ActivityId | str) -> list[Path]:
        found = [self.places.work(number), self.places.version(KEY, number)]   # type: ignore[arg-type]
        for folder in found:
            folder.mkdir(parents=True)
            (folder / "file").write_text("x")
        return found

    async def round(self) -> list[tuple[str, str]]:
        return [going.thing.key for going in (await self.collector.collect("ada")).going]


@pytest.fixture
async def store() -> AsyncIterator[MemoryStore]:
    store = MemoryStore()
    yield store
    store.close()


def version(number: ActivityId, slug: SlugKey) -> Version:
    app = AppVersion("app", slug, "tree", "image", KeyParts("", "", "", "", ""), "")
    return Version(number, CommitId("c" * 40), (app,), (), ())


async def test_what_a_push_makes_while_housekeeping_looks_stays(tmp_path: Path, store: MemoryStore) -> None:
    stand = Stand(tmp_path, store)
    left = stand.folders(stand.push("failed"))
    made: list[Path] = []
    stand.engine.meanwhile = lambda: made or made.extend(stand.folders(stand.push()))
    gone = await stand.round()
    assert made
    assert all(folder.exists() for folder in made)
    assert not any(kind in ("workspace", "version") and name.rpartition("/")[2] == "2" for kind, name in gone)
    assert not left[0].exists()   # what an earlier one left did go


async def test_files_of_a_version_that_went_live_while_housekeeping_looked_stay(
    tmp_path: Path, store: MemoryStore,
) -> None:
    stand = Stand(tmp_path, store)
    made: list[Path] = []

    def deploy() -> None:
        if not made:
            number = stand.push("success")
            made.extend(stand.folders(number))
            environments.ensure(store.db, KEY, "main", BASE)
            environments.set_live(store.db, KEY, number, write_result(Version(
                number, CommitId("c" * 40), (), (), ())), BASE)

    stand.engine.meanwhile = deploy
    await stand.round()
    assert made[1].exists()


async def test_files_of_containers_that_a_later_version_goes_on_in_stay(tmp_path: Path, store: MemoryStore) -> None:
    stand = Stand(tmp_path, store)
    home, between, live = (stand.push("success") for _ in range(3))
    folders = {number: stand.folders(number)[1] for number in (home, between, live)}
    environments.ensure(store.db, KEY, "main", BASE)
    kept = version(live, SLUG).with_homes({"app": home})
    environments.set_live(store.db, KEY, live, write_result(kept), BASE)
    await stand.round()
    assert {number: folder.exists() for number, folder in folders.items()} == {home: True, between: False, live: True}
    assert unneeded.is_in_use(store.db, str(home)), "also when it is asked again, right before it goes"
    assert not unneeded.is_in_use(store.db, str(between))


async def test_a_folder_of_no_activity_does_not_end_the_round(tmp_path: Path, store: MemoryStore) -> None:
    stand = Stand(tmp_path, store)
    stand.folders("strange")
    assert ("workspace", "strange") in await stand.round()


async def test_a_disk_that_is_full_is_made_room_on_though_nothing_can_be_written(tmp_path: Path) -> None:
    store = FullStore()
    stand = Stand(tmp_path, store, min_free_disk_mb=10**9)
    data = stand.places.data(KEY)
    data.mkdir(parents=True)
    assert ("slug", SLUG) in await stand.round()
    assert stand.slugs.there == set()
    assert data.exists()
    store.close()


async def test_the_slugs_that_a_waiting_rollback_goes_back_to_stay(tmp_path: Path, store: MemoryStore) -> None:
    stand = Stand(tmp_path, store, keep_versions=1, collect={"slug_days": 0})
    environments.ensure(store.db, KEY, "main", BASE)
    old = stand.push("success")
    for number, slug in ((old, SLUG), *((stand.push("success"), SlugKey(letter * 64)) for letter in "bc")):
        environments.set_live(store.db, KEY, number, write_result(version(number, slug)), BASE)
    waiting = stand.push("pending", to=old)
    assert ("slug", SLUG) not in await stand.round()
    activities.begin(store.db, waiting, BASE)
    activities.finish(store.db, waiting, "failed", "", BASE + timedelta(minutes=1))
    assert ("slug", SLUG) in await stand.round()


async def test_the_last_round_is_told_to_who_asks_for_the_status(tmp_path: Path, store: MemoryStore) -> None:
    stand = Stand(tmp_path, store)
    assert collected(stand.collector) == {}
    for name in ("1", "2"):
        (stand.places.state / "work" / name).mkdir(parents=True)
        (stand.places.state / "work" / name / "file").write_bytes(b"x" * 10_000)
    await stand.round()
    last = collected(stand.collector)
    assert last["things"] == {"workspace": 2}
    assert last["size_bytes"] > 0, "a folder takes a block"
    await stand.round()
    assert collected(stand.collector)["things"] == {}


@given(st.floats(0, 10**5), st.floats(1, 10**5))
def test_a_short_disk_is_never_looked_after_later_nor_all_the_time(waited: float, every: float) -> None:
    calm, short = (seconds_to_wait(waited, every, short=is_short) for is_short in (False, True))
    assert short <= calm
    assert short <= SHORT_SECONDS - waited
    assert short > 0 or waited >= min(every, SHORT_SECONDS)


@pytest.mark.looptime
async def test_rounds_come_by_the_clock_and_sooner_while_the_disk_is_short(
    tmp_path: Path, store: MemoryStore,
) -> None:
    for name, needed, expected in (("calm", 0, 1), ("short", 10**9, 12)):
        (tmp_path / name).mkdir()
        stand = Stand(tmp_path / name, store, min_free_disk_mb=needed)
        rounds = 0

        def count() -> None:
            nonlocal rounds
            rounds += 1

        stand.engine.meanwhile = count
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(3600 + 200):
                await stand.collector.serve()
        assert rounds == expected


async def test_the_oldest_logs_of_a_project_go_when_they_are_more_than_its_share(
    tmp_path: Path, store: MemoryStore,
) -> None:
    stand = Stand(tmp_path, store, shares={"logs_mb": 1})
    numbers = [stand.push("failed") for _ in range(5)]
    stand.places.logs.mkdir(parents=True)
    for number in numbers:
        (stand.places.logs / f"{number}.jsonl").write_bytes(b"x" * 400_000)
    gone = sorted(int(name) for kind, name in await stand.round() if kind == "log")
    assert gone == numbers[:2], "the newest stays, whatever it takes, and two fit"
    assert not (stand.places.logs / f"{numbers[0]}.jsonl").exists()
    assert (stand.places.logs / f"{numbers[4]}.jsonl").exists()


async def test_crons_that_are_called_otherwise_with_every_push_leave_so_many_logs(
    tmp_path: Path, store: MemoryStore,
) -> None:
    stand = Stand(tmp_path, store)
    folder = stand.places.environment(KEY) / "crons"
    folder.mkdir(parents=True)
    for number in range(MOST_CRON_LOGS + 3):
        file = folder / f"app-{number}.log"
        file.write_text("{}\n")
        os.utime(file, (number, number))
    gone = [name.rpartition("/")[2] for kind, name in await stand.round() if kind == "cron log"]
    assert sorted(gone) == ["app-0.log", "app-1.log", "app-2.log"]
    assert len(list(folder.iterdir())) == MOST_CRON_LOGS


def keep(stand: Stand, project: str, days: float, size: int = 5) -> str:
    """What a step of a build made, last used so many days ago."""
    folder = stand.kept.folder(ProjectId(project), "open")
    folder.mkdir(parents=True, exist_ok=True)
    key = f"{len(list(folder.glob('*.json'))):064}"
    (folder / f"{key}.squashfs").write_bytes(b"x" * size)
    note = folder / f"{key}.json"
    note.write_text(json.dumps({"size_bytes": size, "files": 1, "seconds": 1.0, "checksum": "", "about": {}}))
    used = LoopClock().now().timestamp() - days * 86_400
    os.utime(note, (used, used))
    return f"{project}/open/{key}"


async def test_what_builds_keep_goes_when_no_build_took_it_over_or_its_project_keeps_too_much(
    tmp_path: Path, store: MemoryStore,
) -> None:
    stand = Stand(tmp_path, store, projects={"shop": {}}, collect={"kept_days": 14, "kept_mb": 1})
    recent, old, of_nobody = keep(stand, "shop", 1), keep(stand, "shop", 15), keep(stand, "gone", 1)
    large = keep(stand, "shop", 2, 2_000_000)
    assert sorted(await stand.round()) == sorted(("kept result", name) for name in (old, of_nobody, large))
    assert [item.name for item in await stand.kept.all()] == [recent]
