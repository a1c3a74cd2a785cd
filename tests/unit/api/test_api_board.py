"""What the API reads, from a database in memory."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from deployd.activity.journal import write_result
from deployd.activity.log import Logs
from deployd.activity.masking import Masker
from deployd.api.board import StateBoard
from deployd.ids import ActivityId, CommitId, EnvironmentName, ProjectId
from deployd.release.version import Version
from deployd.settings import Settings
from deployd.state import activities, entries, environments
from deployd.state.activities import NewActivity, Trigger
from deployd.state.answers import put_wrong
from deployd.state.entries import Entry
from tests.doubles.store import MemoryStore

NOW = datetime(2026, 5, 4, 10, 0, tzinfo=UTC)
SHOP, MAIN = ProjectId("shop"), EnvironmentName("main-bvxea6i")


class FixedClock:
    def now(self) -> datetime:
        return NOW


class World:
    """A board over a database, and an Engine that may hang."""

    def __init__(self, folder: Path, **settings: Any) -> None:
        self.store = MemoryStore()
        self.looks = 0
        self.hangs = False
        self.troubles: list[str] = []
        self.waits: dict[ActivityId, str] = {}
        self.reasons: list[str] = []
        self.settings = Settings.model_validate({"directory": str(folder), "projects": {"shop": {}}, **settings})
        self.settings.state.mkdir(parents=True)
        self.board = StateBoard(
            self.store, self.settings, Logs(folder / "logs", FixedClock(), Masker([])), FixedClock(),   # type: ignore[arg-type]
            self.health, lambda: self.troubles, lambda activity: self.waits.get(activity, ""),
        )

    async def health(self) -> tuple[dict[str, Any], dict[str, Any], list[str]]:
        self.looks += 1
        await asyncio.sleep(3600 if self.hangs else 0)
        return {"reachable": True}, {"reachable": True, "held_now": 0}, self.reasons

    async def add(self, kind: str = "push", branch: str = "main", name: EnvironmentName = MAIN) -> ActivityId:
        new = NewActivity(SHOP, name, branch, kind, 1, CommitId("a" * 40), Trigger("ada", "git"))

        def write(db: Any) -> ActivityId:
            environments.ensure(db, SHOP, name, branch, NOW)
            return activities.enqueue(db, new, NOW)

        number: ActivityId = await self.store.write(write)
        return number

    async def finish(self, number: ActivityId, state: activities.State) -> None:
        await self.store.write(lambda db: activities.begin(db, number, NOW))
        await self.store.write(lambda db: activities.finish(db, number, state, "", NOW))


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    made = World(tmp_path)
    yield made
    made.store.close()


async def test_many_monitors_share_one_look(world: World) -> None:
    async with asyncio.TaskGroup() as group:
        for _ in range(50):
            group.create_task(world.board.status(with_environments=True, with_names=True))
            group.create_task(world.board.not_ready())
    assert world.looks == 1


@pytest.mark.looptime
async def test_a_docker_that_hangs_does_not_hang_the_status(world: World) -> None:
    world.hangs = True
    began = asyncio.get_running_loop().time()
    status = await world.board.status(with_environments=False, with_names=True)
    assert asyncio.get_running_loop().time() - began == 3
    assert (status.state, status.engine) == ("degraded", {"reachable": False})
    assert status.reasons == ("Docker or the router did not answer within 3 s",)


async def test_a_full_disk_is_a_reason(tmp_path: Path) -> None:
    world = World(tmp_path, min_free_disk_mb=10**9)
    try:
        status = await world.board.status(with_environments=False, with_names=True)
        assert status.state == "degraded"
        assert status.reasons[0].endswith("MB are free on the disk: nothing can be built")
        assert await world.board.not_ready() == [], "pushes are taken all the same: most reuse their slugs"
    finally:
        world.store.close()


async def test_an_activity_says_what_it_waits_for(world: World) -> None:
    number = await world.add()
    world.waits[number] = "waits: needs 2048 MB for the build"
    assert [item.waits for item in await world.board.activities(["shop"], None, None, 10)] == [world.waits[number]]
    found = await world.board.activity(number)
    assert found is not None
    assert found.waits == world.waits[number]


async def test_a_status_counts_what_waits_runs_and_failed(world: World) -> None:
    await world.finish(await world.add(), "failed")
    await world.store.write(lambda db: activities.begin(db, ActivityId(2), NOW))
    await world.add(branch="next", name=EnvironmentName("next-1"))
    status = await world.board.status(with_environments=True, with_names=True)
    assert status.activities == {"pending": 1, "in_progress": 0, "failed_last_hour": 1}
    assert [(item.branch, item.state) for item in status.environments] == [("main", "failed"), ("next", "deploying")]


async def test_an_environment_says_what_it_does(world: World) -> None:
    number = await world.add()
    (found,) = await world.board.environments("shop")
    assert (found.state, found.doing, found.type, found.activity) == ("deploying", number, "production", None)
    assert found.url == "http://main-bvxea6i-shop.localhost/"
    await world.finish(number, "cancelled")
    (found,) = await world.board.environments(None)
    assert (found.state, found.doing, found.commit, found.since) == ("new", None, "", "")
    assert await world.board.environments("other") == []


async def test_activities_are_found_by_branch_and_by_machine_name(world: World) -> None:
    number = await world.add()
    await world.add(branch="next", name=EnvironmentName("next-1"))
    for name in ("main", "main-bvxea6i"):
        assert [item.id for item in await world.board.activities(["shop"], name, None, 10)] == [number]
    assert await world.board.activities([], None, None, 10) == []
    assert await world.board.activities(["other"], None, None, 10) == []
    assert [item.id for item in await world.board.activities(None, None, "pending", 1)] == [2]


async def test_the_newest_activity_of_every_environment_is_told(world: World) -> None:
    await world.finish(await world.add(), "success")
    newest = await world.add("redeploy")
    other = await world.add(branch="next", name=EnvironmentName("next-1"))
    world.waits[newest] = "waits: a slot"
    assert [(item.id, item.waits) for item in await world.board.newest()] == [(newest, "waits: a slot"), (other, "")]


async def test_the_addresses_of_an_environment_are_those_of_its_live_version(world: World) -> None:
    assert await world.board.addresses("shop", MAIN) == []
    number = await world.add()
    assert await world.board.addresses("shop", MAIN) == []
    routes = ("https://shop.test/", "http://shop.test/")
    version = write_result(Version(number, CommitId("a" * 40), (), (), routes))
    await world.store.write(lambda db: environments.set_live(db, SHOP, MAIN, number, version, NOW))
    assert await world.board.addresses("shop", MAIN) == list(routes)
    assert await world.board.addresses("other", MAIN) == []


async def test_an_activity_has_its_times(world: World) -> None:
    number = await world.add()
    waiting = await world.board.activity(number)
    assert waiting is not None
    assert (waiting.started_at, waiting.ended_at, waiting.seconds) == ("", "", None)
    await world.finish(number, "success")
    ended = await world.board.activity(number)
    assert ended is not None
    assert (ended.state, ended.seconds, ended.who, ended.how) == ("success", 0.0, "ada", "git")
    assert await world.board.activity(77) is None


async def test_a_journal_is_read_in_its_order(world: World) -> None:
    number = await world.add()
    for event in ("started", "done"):
        await world.store.write(
            lambda db, event=event: entries.append(db, number, Entry("fetch", event, NOW, "", "")))
    assert [(item.step, item.event) for item in await world.board.journal(number)] == [
        ("fetch", "started"), ("fetch", "done")]


async def test_projects_say_where_to_push(world: World) -> None:
    await world.add()
    (shop,) = await world.board.projects()
    assert (shop.git, shop.environments) == ("http://127.0.0.1:8480/git/shop.git", 1)


async def test_troubles_of_environments_are_counted_for_strangers(world: World) -> None:
    world.troubles = ["shop/main-bvxea6i: app does not run"]
    assert (await world.board.status(with_environments=False, with_names=True)).reasons == tuple(world.troubles)
    hidden = await world.board.status(with_environments=False, with_names=False)
    assert hidden.state == "degraded"
    assert hidden.reasons == ("1 of the environments and the router are not as they should be",)


async def test_answers_worse_than_usual_are_told_with_their_environment_and_on_the_status(world: World) -> None:
    await world.finish(await world.add(), "failed")
    answer = {"http://shop.test/": "503 Service Unavailable"}
    await world.store.write(lambda db: put_wrong(db, SHOP, MAIN, answer, NOW))
    said = "visitors get 503 Service Unavailable at http://shop.test/ since 2026-05-04 10:00 UTC"
    status = await world.board.status(with_environments=True, with_names=True)
    assert (status.state, status.reasons) == ("degraded", (f"shop/{MAIN}: {said}",))
    assert [item.answers for item in status.environments] == [(said,)]
    hidden = await world.board.status(with_environments=False, with_names=False)
    assert hidden.reasons == ("1 of the environments and the router are not as they should be",)


async def test_a_password_in_the_address_of_a_remote_is_not_shown(tmp_path: Path) -> None:
    remote = {"remote": {"url": "https://bot:hunter2@git.example.com/shop.git"}}
    world = World(tmp_path, projects={"shop": remote})
    try:
        assert (await world.board.projects())[0].remote == "https://git.example.com/shop.git"
    finally:
        world.store.close()
