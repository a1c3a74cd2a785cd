"""Activities as they are told."""

from __future__ import annotations

from deployd.ids import EnvironmentName
from deployd.state import entries
from deployd.state.entries import Entry
from tests.support.queries_world import NOW, World


async def test_an_activity_says_what_it_waits_for(world: World) -> None:
    number = await world.add()
    world.waits[number] = "waits: needs 2048 MB for the build"
    assert [item.waits for item in await world.activities.latest(["shop"], None, None, 10)] == [world.waits[number]]
    found = await world.activities.find(number)
    assert found is not None
    assert found.waits == world.waits[number]


async def test_activities_are_found_by_branch_and_by_machine_name(world: World) -> None:
    number = await world.add()
    await world.add(branch="next", name=EnvironmentName("next-1"))
    for name in ("main", "main-bvxea6i"):
        assert [item.id for item in await world.activities.latest(["shop"], name, None, 10)] == [number]
    assert await world.activities.latest([], None, None, 10) == []
    assert await world.activities.latest(["other"], None, None, 10) == []
    assert [item.id for item in await world.activities.latest(None, None, "pending", 1)] == [2]


async def test_the_newest_activity_of_every_environment_is_told(world: World) -> None:
    await world.finish(await world.add(), "success")
    newest = await world.add("redeploy")
    other = await world.add(branch="next", name=EnvironmentName("next-1"))
    world.waits[newest] = "waits: a slot"
    told = [(item.id, item.waits) for item in await world.activities.newest()]
    assert told == [(newest, "waits: a slot"), (other, "")]


async def test_an_activity_has_its_times(world: World) -> None:
    number = await world.add()
    waiting = await world.activities.find(number)
    assert waiting is not None
    assert (waiting.started_at, waiting.ended_at, waiting.seconds) == ("", "", None)
    await world.finish(number, "success")
    ended = await world.activities.find(number)
    assert ended is not None
    assert (ended.state, ended.seconds, ended.who, ended.how) == ("success", 0.0, "ada", "git")
    assert await world.activities.find(77) is None


async def test_a_journal_is_read_in_its_order(world: World) -> None:
    number = await world.add()
    for event in ("started", "done"):
        await world.store.write(
            lambda db, event=event: entries.append(db, number, Entry("fetch", event, NOW, "", "")))
    assert [(item.step, item.event) for item in await world.activities.journal(number)] == [
        ("fetch", "started"), ("fetch", "done")]
