"""Three tests that go over every step of a push: each step twice, a failure at each step, each undo twice.

Afterwards the world is looked at: containers, networks, volumes, mounts, files, the router, the page. A new step is
covered the moment it has a row in the table.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import replace
from typing import Any

import pytest
import pytest_asyncio

from deployd.activity.cancellation import Cancellation
from deployd.activity.journal import IN_DOUBT
from deployd.activity.table import NO_WAY_BACK, NOTHING
from deployd.deployment.results import Planned, Switched
from deployd.deployment.route import NotSwitched
from deployd.deployment.steps import PUSH
from deployd.environment.naming import machine_name
from deployd.errors import DeployError
from deployd.ids import CommitId
from deployd.router.table import Released
from tests.support.deployment_stand import (
    APP,
    FILES,
    SERVICES,
    Stand,
    cancelled_in,
    deployment_stand,
    done_twice,
    own_part,
    raising,
    undone_twice,
    with_parallel,
    with_step,
)

pytestmark = [pytest.mark.asyncio(loop_scope="module"), pytest.mark.slow]

STEPS = [step.name for step in PUSH.steps]
SWITCH = STEPS.index("switch")
BEFORE, AFTER = STEPS[:SWITCH], STEPS[SWITCH + 1:]
LAST_BEFORE = BEFORE[-1]


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def stand(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Stand]:
    async with deployment_stand(tmp_path_factory.mktemp("steps"), snapshot_before_deploy=True) as found:
        yield found


@pytest_asyncio.fixture(loop_scope="module")
async def change(stand: Stand) -> CommitId:
    """A commit to be deployed over one that is live."""
    live = await stand.write(FILES)
    if await stand.page() != (200, "first on main"):
        ended = await stand.deploy(live)
        assert ended.end.state == "success", ended.end
    assert await stand.page() == (200, "first on main")
    return await stand.write({"text": "second"})


@pytest_asyncio.fixture(loop_scope="module")
async def another(stand: Stand) -> tuple[CommitId, str]:
    """A commit and its text, to be deployed over whatever is live: what a test makes live the next one starts from."""
    if (await stand.page())[0] != 200:
        ended = await stand.deploy(await stand.write(FILES))
        assert ended.end.state == "success", ended.end
    text = "second" if await stand.page() == (200, "first on main") else "first"
    return await stand.write({**FILES, "text": text}), text


async def test_each_step_twice_leaves_what_one_run_leaves(stand: Stand) -> None:
    once = await stand.deploy(await stand.write({**FILES, "text": "once"}), branch="once")
    assert once.end.state == "success", once.end
    world = await stand.world("once")
    table = replace(PUSH, steps=tuple(done_twice(step) for step in PUSH.steps))
    both = await stand.deploy(await stand.write({**FILES, "text": "twice"}), table, branch="twice")
    assert both.end.state == "success", both.end
    assert await stand.page("twice") == (200, "twice on twice")
    assert stand.ran("twice") == stand.ran("once") == ["deploy", "post"]
    after = await stand.world("twice")
    assert own_part(after, "twice", both.activity) == own_part(world, "once", once.activity)
    assert len(after["mounts"]) == len(world["mounts"]) + 3, "a slug, and a mount of the application and of the worker"
    assert both.journal.result("switch", Switched).released == Released()


async def test_each_step_twice_over_a_live_version_leaves_what_one_run_leaves(stand: Stand, change: CommitId) -> None:
    before = await stand.world()
    ran = stand.ran()
    table = replace(PUSH, steps=tuple(done_twice(step) for step in PUSH.steps))
    ended = await stand.deploy(change, table)
    assert ended.end.state == "success", ended.end
    assert await stand.page() == (200, "second on main")
    assert stand.ran() == [*ran, "deploy", "post"]
    after = await stand.world()
    assert own_part(after, "main", ended.activity) == own_part(before, "main", before["live"])
    assert len(after["mounts"]) == len(before["mounts"])


@pytest.mark.parametrize("when", ["before", "after", "cancel"])
@pytest.mark.parametrize("step", BEFORE)
async def test_a_failure_before_the_switch_leaves_the_version_before(
    stand: Stand, change: CommitId, step: str, when: str,
) -> None:
    before = await stand.world()
    cancellation = Cancellation()
    wrap = cancelled_in(stand, cancellation) if when == "cancel" else raising(
        DeployError("injected"), late=when == "after")
    ended = await stand.deploy(change, with_step(PUSH, step, wrap), cancellation=cancellation)
    assert ended.end.state == ("cancelled" if when == "cancel" else "failed")
    assert ended.end.reason == ("cancelled by ada" if when == "cancel" else "injected")
    assert await stand.page() == (200, "first on main")
    assert await stand.world() == before


@pytest.mark.parametrize("when", ["before", "after"])
@pytest.mark.parametrize("step", [*BEFORE, "switch"])
async def test_a_failure_before_the_switch_leaves_nothing_of_a_new_environment(
    stand: Stand, step: str, when: str,
) -> None:
    if step == "switch" and when == "after":
        return   # that is a doubt, and no failure
    before = await stand.world("new")
    error = NotSwitched("injected") if step == "switch" else DeployError("injected")
    commit = await stand.write({**FILES, "text": f"new {step} {when}"})
    ended = await stand.deploy(commit, with_step(PUSH, step, raising(error, late=when == "after")), branch="new")
    assert ended.end.state == "failed"
    assert (await stand.page("new"))[0] == 404
    assert await stand.world("new") == before


@pytest.mark.parametrize("when", ["before", "after"])
@pytest.mark.parametrize("step", [step.name for step in PUSH.steps[:SWITCH] if step.parallel])
async def test_a_failure_beside_a_step_leaves_nothing(stand: Stand, change: CommitId, step: str, when: str) -> None:
    table = with_parallel(PUSH, step, raising(DeployError("injected"), late=when == "after"))
    before = await stand.world()
    ended = await stand.deploy(change, table)
    assert (ended.end.state, ended.end.reason) == ("failed", "injected")
    assert await stand.world() == before
    before = await stand.world("new")
    commit = await stand.write({**FILES, "text": f"new beside {step} {when}"})
    assert (await stand.deploy(commit, table, branch="new")).end.state == "failed"
    assert await stand.world("new") == before


@pytest.mark.parametrize("when", ["before", "after"])
@pytest.mark.parametrize("step", AFTER)
async def test_a_failure_after_the_switch_is_told_and_the_new_version_stays(
    stand: Stand, another: tuple[CommitId, str], step: str, when: str,
) -> None:
    commit, text = another
    ended = await stand.deploy(commit, with_step(PUSH, step, raising(DeployError("injected"), late=when == "after")))
    assert (ended.end.state, ended.end.reason) == ("failed", "injected")
    assert await stand.page() == (200, f"{text} on main")
    world = await stand.world()
    assert world["live"] == ended.activity
    if (step, when) != ("retire_old", "before"):
        names = [name for name in world["containers"] if "-mailer-" in name or "-app-" in name or "-web-" in name]
        assert all(name.endswith(f"-{ended.activity}") for name in names if machine_name("main") in name)


@pytest.mark.parametrize("late", [False, True])
async def test_a_switch_that_is_in_doubt_is_done_again(
    stand: Stand, another: tuple[CommitId, str], late: bool,
) -> None:
    commit, text = another

    def once(do: Any) -> Any:
        tries = []

        async def doubtful(*arguments: Any) -> Any:
            tries.append(1)
            result = await do(*arguments) if late or len(tries) > 1 else None
            if len(tries) == 1:
                raise DeployError("no answer")
            return result
        return doubtful

    ended = await stand.deploy(commit, with_step(PUSH, "switch", once))
    assert ended.end.state == "success"
    assert ended.journal.count("switch", IN_DOUBT) == 1
    assert await stand.page() == (200, f"{text} on main")


async def test_a_switch_that_was_certainly_not_done_goes_back(stand: Stand, change: CommitId) -> None:
    before = await stand.world()
    ended = await stand.deploy(change, with_step(PUSH, "switch", raising(NotSwitched("refused"), late=False)))
    assert (ended.end.state, ended.end.reason) == ("failed", "refused")
    assert await stand.page() == (200, "first on main")
    assert await stand.world() == before


async def test_each_undo_twice_is_fine(stand: Stand, change: CommitId) -> None:
    before = await stand.world()
    table = with_step(PUSH, LAST_BEFORE, raising(DeployError("injected"), late=True))
    table = replace(table, steps=tuple(
        step if step.undone_by in (NOTHING, NO_WAY_BACK) else undone_twice(step)
        for step in table.steps
    ))
    ended = await stand.deploy(change, table)
    assert (ended.end.state, ended.end.reason) == ("failed", "injected")
    assert await stand.page() == (200, "first on main")
    assert await stand.world() == before
    new = await stand.deploy(change, table, branch="new")
    assert (new.end.state, new.end.reason) == ("failed", "injected")
    assert await stand.world() == before


async def test_a_service_made_anew_becomes_what_it_was(stand: Stand, change: CommitId) -> None:
    before = await stand.world()
    commit = await stand.write({".platform/services.yaml": SERVICES.replace("disk", "size: L\n  disk")})
    ended = await stand.deploy(commit, with_step(PUSH, LAST_BEFORE, raising(DeployError("injected"), late=True)))
    assert ended.end.reason == "injected"
    planned = ended.journal.result("read_and_plan", Planned)
    assert [service.action for service in planned.plan.services] == ["recreate"]
    assert await stand.page() == (200, "first on main")
    assert await stand.world() == before


async def test_a_failure_keeps_the_data_of_a_service_that_was_there_before(stand: Stand, change: CommitId) -> None:
    without = {
        ".platform.app.yaml": APP.replace('relationships:\n  cache: "store:redis"\n', ""),
        ".platform/services.yaml": "",
    }
    ended = await stand.deploy(await stand.write(without))
    assert ended.end.state == "success", ended.end
    before = await stand.world()
    ended = await stand.deploy(
        await stand.write(FILES), with_step(PUSH, LAST_BEFORE, raising(DeployError("injected"), late=True)),
    )
    assert ended.end.reason == "injected"
    assert await stand.world() == before


async def test_a_web_server_that_ends_at_once_is_named_with_its_own_words(
    stand: Stand, change: CommitId, monkeypatch: pytest.MonkeyPatch,
) -> None:
    before = await stand.world()
    monkeypatch.setattr(
        "deployd.release.applications.start.web_server_files", lambda *_, **__: {"nginx.conf": "nonsense;\n"},
    )
    ended = await stand.deploy(change)
    assert (ended.end.state, ended.end.reason) == ("failed", "the web server of app ended as soon as it was started")
    assert "unknown directive" in stand.told(ended)
    assert await stand.world() == before
