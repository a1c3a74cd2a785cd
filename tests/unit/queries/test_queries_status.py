"""The status: what is counted, what is hidden from strangers, and that nobody waits for a Docker that hangs."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from deployd.ids import ActivityId, EnvironmentName
from deployd.state import activities
from deployd.state.answers import put_wrong
from tests.support.queries_world import MAIN, NOW, SHOP_MAIN, World


async def test_many_monitors_share_one_look(world: World) -> None:
    async with asyncio.TaskGroup() as group:
        for _ in range(50):
            group.create_task(world.status.now(with_environments=True, with_names=True))
            group.create_task(world.status.not_ready())
    assert world.looks == 1


@pytest.mark.looptime
async def test_a_docker_that_hangs_does_not_hang_the_status(world: World) -> None:
    world.hangs = True
    began = asyncio.get_running_loop().time()
    status = await world.status.now(with_environments=False, with_names=True)
    assert asyncio.get_running_loop().time() - began == 3
    assert (status.state, status.engine) == ("degraded", {"reachable": False})
    assert status.reasons == ("Docker or the router did not answer within 3 s",)


async def test_a_full_disk_is_a_reason(tmp_path: Path) -> None:
    world = World(tmp_path, min_free_disk_mb=10**9)
    try:
        status = await world.status.now(with_environments=False, with_names=True)
        assert status.state == "degraded"
        assert status.reasons[0].endswith("MB are free on the disk: nothing can be built")
        assert await world.status.not_ready() == (), "pushes are taken all the same: most reuse their slugs"
    finally:
        world.store.close()


async def test_a_status_counts_what_waits_runs_and_failed(world: World) -> None:
    await world.finish(await world.add(), "failed")
    await world.store.write(lambda db: activities.begin(db, ActivityId(2), NOW))
    await world.add(branch="next", name=EnvironmentName("next-1"))
    status = await world.status.now(with_environments=True, with_names=True)
    assert status.activities == {"pending": 1, "in_progress": 0, "failed_last_hour": 1}
    assert [(item.branch, item.state) for item in status.environments] == [("main", "failed"), ("next", "deploying")]


async def test_troubles_of_environments_are_counted_for_strangers(world: World) -> None:
    world.troubles = ["shop/main-bvxea6i: app does not run"]
    assert (await world.status.now(with_environments=False, with_names=True)).reasons == tuple(world.troubles)
    hidden = await world.status.now(with_environments=False, with_names=False)
    assert hidden.state == "degraded"
    assert hidden.reasons == ("1 of the environments and the router are not as they should be",)


async def test_answers_worse_than_usual_are_told_with_their_environment_and_on_the_status(world: World) -> None:
    await world.finish(await world.add(), "failed")
    answer = {"http://shop.test/": "503 Service Unavailable"}
    await world.store.write(lambda db: put_wrong(db, SHOP_MAIN, answer, NOW))
    said = "visitors get 503 Service Unavailable at http://shop.test/ since 2026-05-04 10:00 UTC"
    status = await world.status.now(with_environments=True, with_names=True)
    assert (status.state, status.reasons) == ("degraded", (f"shop/{MAIN}: {said}",))
    assert [item.answers for item in status.environments] == [(said,)]
    hidden = await world.status.now(with_environments=False, with_names=False)
    assert hidden.reasons == ("1 of the environments and the router are not as they should be",)
