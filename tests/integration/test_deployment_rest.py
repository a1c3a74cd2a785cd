"""Environments that go to rest and come back, over every step, as the tests of a push do it; and pushes onto them.

Each step twice, a failure at each, each undo twice; afterwards the world is looked at.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import replace
from typing import Any

import pytest
import pytest_asyncio

from deployd.activity.cancellation import Cancellation
from deployd.activity.table import NO_WAY_BACK, NOTHING, Table
from deployd.deployment.steps import DEACTIVATE, PAUSE, PUSH, WAKE
from deployd.deployment.wake import NotWoken
from deployd.environment.naming import machine_name
from deployd.errors import DeployError
from deployd.ids import CommitId, EnvironmentId
from deployd.process import run as run_program
from tests.support.deployment_stand import (
    FILES,
    PROJECT,
    SERVICES,
    Ended,
    Stand,
    World,
    cancelled_in,
    deployment_stand,
    done_twice,
    raising,
    undone_twice,
    with_step,
)

pytestmark = [pytest.mark.asyncio(loop_scope="module"), pytest.mark.slow]

MAIN = EnvironmentId(PROJECT, machine_name("main"))
BROKEN = FILES | {"server.py": "raise SystemExit(3)\n"}


def before_the_end(table: Table[Any, Any]) -> list[str]:
    return [step.name for step in table.steps if step.undone_by is not NO_WAY_BACK and step.name != "wake_workers"]


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def stand(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Stand]:
    async with deployment_stand(tmp_path_factory.mktemp("rest"), snapshot_before_deploy=True) as found:
        yield found


@pytest_asyncio.fixture(loop_scope="module")
async def live(stand: Stand) -> CommitId:
    """Something is live, and runs."""
    commit = await stand.write(FILES)
    if await stand.host.facts.rest(MAIN) == "paused":
        await rests(stand, WAKE)
    if await stand.host.facts.rest(MAIN) != "" or await stand.page() != (200, "first on main"):
        ended = await stand.deploy(commit)
        assert ended.end.state == "success", ended.end
    assert await stand.page() == (200, "first on main")
    return commit


@pytest_asyncio.fixture(loop_scope="module")
async def paused(stand: Stand, live: CommitId) -> CommitId:
    ended = await rests(stand, PAUSE)
    assert ended.end.state == "success", ended.end
    return live


async def rests(stand: Stand, table: Table[Any, Any]) -> Ended:
    return await stand.deploy(CommitId("0" * 40), table, kind=table.name)


def running(world: World) -> list[str]:
    return sorted(name for name, (runs, _) in world["containers"].items() if runs and "router" not in name)


async def asleep(stand: Stand) -> bool:
    found = (await stand.host.router.status()).environments.get(str(MAIN))
    return found is not None and found.asleep


async def test_a_pause_stops_all_that_runs_and_a_wake_starts_the_same_again(stand: Stand, live: CommitId) -> None:
    before = await stand.world()
    await rests(stand, PAUSE)
    world = await stand.world()
    assert (running(world), await asleep(stand), await stand.host.facts.rest(MAIN)) == ([], True, "paused")
    assert world["containers"].keys() == before["containers"].keys()
    assert (world["volumes"], world["files"], world["live"]) == (before["volumes"], before["files"], before["live"])
    ended = await rests(stand, WAKE)
    assert ended.end.state == "success", ended.end
    assert await stand.world() == before
    assert (await asleep(stand), await stand.page()) == (False, (200, "first on main"))


async def test_each_step_twice_leaves_what_one_run_leaves(stand: Stand, live: CommitId) -> None:
    before = await stand.world()
    for table in (PAUSE, WAKE):
        both = replace(table, steps=tuple(done_twice(step) for step in table.steps))
        ended = await rests(stand, both)
        assert ended.end.state == "success", ended.end
    assert await stand.world() == before
    assert await stand.page() == (200, "first on main")


@pytest.mark.parametrize(("table", "step", "when"), [
    *((PAUSE, step, when) for step in before_the_end(PAUSE) for when in ("before", "after")),
    (DEACTIVATE, before_the_end(DEACTIVATE)[-1], "after"),   # the others are those of a pause
], ids=lambda item: getattr(item, "name", item))
async def test_a_failure_before_it_rests_leaves_it_running(
    stand: Stand, live: CommitId, table: Table[Any, Any], step: str, when: str,
) -> None:
    before = await stand.world()
    ended = await rests(stand, with_step(table, step, raising(DeployError("injected"), late=when == "after")))
    assert (ended.end.state, ended.end.reason) == ("failed", "injected")
    assert await stand.world() == before
    assert (await asleep(stand), await stand.page()) == (False, (200, "first on main"))


@pytest.mark.parametrize("when", ["before", "after"])
@pytest.mark.parametrize("step", [*before_the_end(WAKE), "let_in"])
async def test_a_failure_before_it_is_awake_leaves_it_paused(
    stand: Stand, paused: CommitId, step: str, when: str,
) -> None:
    if step == "let_in" and when == "after":
        return   # that is a doubt, and no failure
    before = await stand.world()
    error = NotWoken("injected") if step == "let_in" else DeployError("injected")
    ended = await rests(stand, with_step(WAKE, step, raising(error, late=when == "after")))
    assert (ended.end.state, ended.end.reason) == ("failed", "injected")
    assert await stand.world() == before
    assert (await asleep(stand), await stand.host.facts.rest(MAIN)) == (True, "paused")
    assert (await stand.page())[0] == 503   # nobody asks anew for a while


async def test_each_undo_twice_is_fine(stand: Stand, live: CommitId) -> None:
    before = await stand.world()
    last = {"pause": "stop_containers", "wake": "wait_until_awake"}
    for table in (PAUSE, WAKE):
        broken = with_step(table, last[table.name], raising(DeployError("injected"), late=True))
        ended = await rests(stand, replace(broken, steps=tuple(
            step if step.undone_by in (NOTHING, NO_WAY_BACK) else undone_twice(step) for step in broken.steps
        )))
        assert ended.end.reason == "injected"
        if table is PAUSE:
            assert await stand.world() == before
            await rests(stand, PAUSE)
    assert running(await stand.world()) == []
    await rests(stand, WAKE)
    assert await stand.world() == before


async def test_what_somebody_removed_of_a_paused_environment_is_made_again(stand: Stand, paused: CommitId) -> None:
    names = [name for name in (await stand.world())["containers"] if "router" not in name]
    await run_program("docker", "rm", "--force", *names)
    await run_program("docker", "network", "rm", *(await stand.world())["networks"])
    ended = await rests(stand, WAKE)
    assert ended.end.state == "success", ended.end
    assert await stand.page() == (200, "first on main")
    assert sorted(names) == running(await stand.world())


async def test_a_push_onto_a_paused_environment_makes_it_active(stand: Stand, paused: CommitId) -> None:
    ended = await stand.deploy(await stand.write({"text": "second"}))
    assert ended.end.state == "success", ended.end
    assert (await asleep(stand), await stand.page()) == (False, (200, "second on main"))
    assert await stand.host.facts.rest(MAIN) == ""


@pytest.mark.parametrize("step", ["build_apps", "start_apps", "wait_until_healthy"])
async def test_a_push_that_fails_leaves_it_paused(stand: Stand, paused: CommitId, step: str) -> None:
    before = await stand.world()
    commit = await stand.write({"text": f"{step} fails"})
    ended = await stand.deploy(commit, with_step(PUSH, step, raising(DeployError("injected"), late=True)))
    assert (ended.end.state, ended.end.reason) == ("failed", "injected")
    assert await stand.world() == before
    assert (await asleep(stand), await stand.host.facts.rest(MAIN)) == (True, "paused")


async def test_a_service_that_is_made_anew_under_a_pause_is_what_it_was_when_the_push_fails(
    stand: Stand, paused: CommitId,
) -> None:
    before = await stand.world()
    commit = await stand.write({".platform/services.yaml": SERVICES.replace("disk", "size: L\n  disk")})
    broken = with_step(PUSH, "wait_until_healthy", raising(DeployError("injected"), late=True))
    ended = await stand.deploy(commit, broken)
    assert (ended.end.state, ended.end.reason) == ("failed", "injected")
    assert running(await stand.world()) == []
    assert await stand.world() == before


async def test_a_deactivated_environment_keeps_its_data_and_nothing_else(stand: Stand, live: CommitId) -> None:
    before, ran = await stand.world(), stand.ran()
    twice = replace(DEACTIVATE, steps=tuple(done_twice(step) for step in DEACTIVATE.steps))
    ended = await rests(stand, twice)
    assert ended.end.state == "success", ended.end
    world = await stand.world()
    own = [name for name in (*world["containers"], *world["networks"]) if str(MAIN.name) in name]
    slugs = [path for path in world["mounts"] if not path.endswith("/secrets")]
    assert (own, world["router"], slugs) == ([], None, [])
    assert (world["volumes"], stand.ran()) == (before["volumes"], ran)
    assert (await stand.page())[0] == 404
    failed = await stand.deploy(
        live, with_step(PUSH, "wait_until_healthy", raising(DeployError("injected"), late=True)), kind="activate",
    )
    assert (failed.end.state, failed.end.reason) == ("failed", "injected")
    after = await stand.world()
    assert after == world
    assert stand.ran()[:len(ran)] == ran, "its mounts are those that it had"
    ended = await stand.deploy(live, kind="activate")
    assert ended.end.state == "success", ended.end
    assert await stand.page() == (200, "first on main")
    assert stand.ran()[:len(ran)] == ran
    assert await stand.host.facts.rest(MAIN) == ""


async def test_a_wake_of_what_ends_at_once_says_so_and_is_put_off_longer_from_time_to_time(stand: Stand) -> None:
    commit = await stand.write(BROKEN)
    ended = await stand.deploy(commit, branch="broken")
    assert ended.end.state == "failed"   # it was never live: there is nothing to wake
    woken = await stand.deploy(commit, WAKE, kind="wake", branch="broken")
    assert woken.end.state == "failed"
    assert "inactive" in woken.end.reason


async def test_a_branch_that_comes_back_and_fails_leaves_the_files_that_it_had(stand: Stand) -> None:
    kept = stand.host.places.data(EnvironmentId(PROJECT, machine_name("back"))) / "app" / "data" / "order"
    kept.parent.mkdir(parents=True)
    kept.write_text("of before it was deleted")
    commit = await stand.write(FILES | {"text": "back"})
    ended = await stand.deploy(commit, with_step(PUSH, "start_apps", raising(DeployError("injected"), late=True)),
                               branch="back")
    assert (ended.end.state, ended.end.reason) == ("failed", "injected")
    assert kept.read_text() == "of before it was deleted"


@pytest.mark.parametrize(("table", "step"), [(PAUSE, "stop_containers"), (WAKE, "start_containers")])
async def test_what_is_cancelled_on_its_way_is_what_it_was(
    stand: Stand, live: CommitId, table: Table[Any, Any], step: str,
) -> None:
    if table is WAKE:
        await rests(stand, PAUSE)
    before, cancellation = await stand.world(), Cancellation()
    broken = with_step(table, step, cancelled_in(stand, cancellation))
    ended = await stand.deploy(CommitId("0" * 40), broken, kind=table.name, cancellation=cancellation)
    assert (ended.end.state, ended.end.reason) == ("cancelled", "cancelled by ada")
    assert await stand.world() == before
    assert await asleep(stand) is (table is WAKE)
