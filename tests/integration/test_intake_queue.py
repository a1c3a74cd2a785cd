"""A push becomes an activity, in a real database: once for each delivery, durable when it is answered."""

from __future__ import annotations

import asyncio
import dataclasses
import sqlite3
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from deployd.clock import SystemClock
from deployd.deployment.kinds import KINDS
from deployd.deployment.requests import Requests
from deployd.environment import branches
from deployd.environment.naming import machine_name
from deployd.ids import ActivityId, CommitId, EnvironmentId, EnvironmentName, ProjectId
from deployd.intake.push import Push
from deployd.intake.queue import StateQueue
from deployd.settings import Settings
from deployd.state import activities, audit, environments, kept_back, rests
from deployd.state.activities import Activity, NewActivity, Trigger
from deployd.state.store import Store, open_store

SHOP = ProjectId("shop")
A, B, ZERO = CommitId("a" * 40), CommitId("b" * 40), CommitId("0" * 40)
PUSH = Push(SHOP, "main", A, B, "github", "ada", "delivery-1")


class Queue:
    def __init__(self, store: Store, settings: Settings | None = None) -> None:
        settings = settings or Settings()
        self.store = store
        self.woken = 0
        self._queue = StateQueue(store, SystemClock(), Requests(store, settings, SystemClock(), self._wake))
        self.push, self.refusal, self.stored = self._queue.push, self._queue.refusal, self._queue.stored

    def _wake(self) -> None:
        self.woken += 1

    async def all(self) -> list[Activity]:
        return await self.store.read(lambda db: activities.latest(db, project=SHOP))

    async def end(self, activity: ActivityId | None, state: activities.State) -> None:
        assert activity is not None
        now = SystemClock().now()
        await self.store.write(lambda db: activities.begin(db, activity, now))
        assert await self.store.write(lambda db: activities.finish(db, activity, state, "", now))


@pytest.fixture
async def queue(tmp_path: Path) -> AsyncIterator[Queue]:
    async with open_store(tmp_path / "state.db") as store:
        yield Queue(store)


def to(commit: CommitId, delivery: str, push: Push = PUSH) -> Push:
    return dataclasses.replace(push, new=commit, delivery=delivery)


async def test_a_push_makes_an_activity_and_its_environment(queue: Queue) -> None:
    receipt = await queue.push(PUSH)
    assert receipt.said == f"activity 1: main at bbbbbbbb to environment {machine_name('main')}"
    (activity,) = await queue.all()
    assert (activity.commit, activity.branch, activity.kind, activity.state) == (B, "main", "push", "pending")
    assert (activity.trigger.who, activity.trigger.how, activity.trigger.delivery) == ("ada", "github", "delivery-1")
    assert queue.woken == 1


async def test_a_push_that_has_to_wait_is_told_for_what(queue: Queue) -> None:
    first = await queue.push(PUSH)
    await queue.store.write(lambda db: activities.begin(db, ActivityId(first.activity or 0), SystemClock().now()))
    assert (await queue.push(to(A, "delivery-2"))).said.endswith(f", after activity {first.activity}, which goes on")


async def test_it_is_on_the_disk_when_it_is_answered(queue: Queue, tmp_path: Path) -> None:
    await queue.push(PUSH)
    other = sqlite3.connect(f"file:{tmp_path}/state.db?mode=ro", uri=True)
    assert other.execute("SELECT count(*) FROM activities").fetchone() == (1,)
    assert other.execute("SELECT delivery FROM deliveries").fetchone() == ("delivery-1",)
    other.close()


async def test_a_known_delivery_gets_the_answer_of_then_whatever_happened_since(queue: Queue) -> None:
    first = await queue.push(PUSH)
    await queue.end(first.activity, "failed")
    again = await queue.push(PUSH)
    assert again == dataclasses.replace(first, again=True)
    assert len(await queue.all()) == 1


async def test_the_same_delivery_many_times_at_once_is_one_activity(queue: Queue) -> None:
    async with asyncio.TaskGroup() as group:
        receipts = [group.create_task(queue.push(PUSH)) for _ in range(50)]
    assert {task.result().activity for task in receipts} == {1}
    assert [task.result().again for task in receipts].count(False) == 1
    assert len(await queue.all()) == 1


async def test_ids_of_forges_and_projects_do_not_meet(queue: Queue) -> None:
    await queue.push(PUSH)
    assert not (await queue.push(dataclasses.replace(PUSH, project=ProjectId("blog")))).again
    assert not (await queue.push(dataclasses.replace(PUSH, how="gitlab", new=A))).again


async def test_a_second_hook_for_the_same_tip_starts_nothing(queue: Queue) -> None:
    first = await queue.push(PUSH)
    second = await queue.push(to(B, "delivery-2"))
    assert second.activity is None
    assert second.said == f"main at bbbbbbbb is activity {first.activity} already"
    assert len(await queue.all()) == 1


async def test_after_a_failure_the_same_tip_counts_again(queue: Queue) -> None:
    first = await queue.push(PUSH)
    await queue.end(first.activity, "failed")
    assert (await queue.push(to(B, "delivery-2"))).activity == 2


async def test_a_branch_that_is_forced_there_and_back_is_deployed_each_time(queue: Queue) -> None:
    for number, commit in enumerate((A, B, A, B)):
        assert (await queue.push(to(commit, f"delivery-{number}"))).activity == number + 1
    states = [activity.state for activity in await queue.all()]
    assert states == ["pending", "superseded", "superseded", "superseded"]


async def test_a_push_by_git_is_always_taken(queue: Queue) -> None:
    mine = dataclasses.replace(PUSH, how="git", delivery="")
    assert [(await queue.push(mine)).activity for _ in range(2)] == [1, 2]


async def test_a_deleted_branch_deletes_its_environment_once(queue: Queue) -> None:
    gone = to(ZERO, "delivery-2")
    assert (await queue.push(to(ZERO, "delivery-0"))).said == "main was deleted; it had no environment"
    await queue.push(PUSH)
    receipt = await queue.push(gone)
    newest = (await queue.all())[0]
    assert (newest.id, newest.kind, newest.commit) == (receipt.activity, "delete", None)
    assert (await queue.push(gone)).again


async def test_branches_that_look_alike_have_environments_of_their_own(queue: Queue) -> None:
    for branch in ("feature/a", "feature-a", "Feature/A", "feature/ä"):
        await queue.push(dataclasses.replace(PUSH, branch=branch, delivery=branch))
    there = await queue.store.read(lambda db: environments.list_all(db, SHOP))
    assert len({environment.name for environment in there}) == 4
    assert {activity.state for activity in await queue.all()} == {"pending"}


FULL = Settings.model_validate({"projects": {"shop": {}}, "shares": {"environments": 2}})


@pytest.fixture
async def full(tmp_path: Path) -> AsyncIterator[Queue]:
    """A project that has all environments that it may have."""
    async with open_store(tmp_path / "state.db") as store:
        queue = Queue(store, FULL)
        for branch in ("main", "a"):
            await queue.push(dataclasses.replace(PUSH, branch=branch, delivery=branch))
        yield queue


async def test_a_branch_beyond_the_share_makes_nothing_and_is_told_with_the_mend(full: Queue) -> None:
    more = dataclasses.replace(PUSH, branch="b", delivery="b", how="git")
    receipt = await full.push(more)
    assert receipt.activity is None
    assert "b is not deployed now: shop has 2 environments, 1 more are wanted, and 2 may be" in receipt.said
    assert len(await full.all()) == 2
    assert await full.store.read(lambda db: environments.find(db, EnvironmentId(SHOP, machine_name("b")))) is None
    refusal = await full.refusal(SHOP, [more])
    assert refusal is not None
    assert "delete branches" in refusal.hint
    assert await full.refusal(SHOP, [dataclasses.replace(PUSH, branch="a", how="git")]) is None


async def test_a_webhook_beyond_the_share_is_answered_the_same_when_it_is_sent_again(full: Queue) -> None:
    more = dataclasses.replace(PUSH, branch="b", delivery="b")
    first, again = await full.push(more), await full.push(more)
    assert (again.said, again.again) == (first.said, True)


async def test_two_pushes_at_once_do_not_get_past_the_share(tmp_path: Path) -> None:
    async with open_store(tmp_path / "state.db") as store:
        queue = Queue(store, FULL)
        async with asyncio.TaskGroup() as group:
            for number in range(20):
                push = dataclasses.replace(PUSH, branch=f"b{number}", delivery=str(number), how="git")
                group.create_task(queue.push(push))
        assert len(await store.read(lambda db: environments.list_all(db, SHOP))) == 2


async def test_a_branch_does_not_get_or_delete_the_environment_of_a_namesake(queue: Queue) -> None:
    """Names of environments hold 35 bits of a hash, which somebody who wants to can make equal."""
    name, now = machine_name("main"), SystemClock().now()
    await queue.store.write(lambda db: environments.ensure(db, EnvironmentId(SHOP, name), "another", now))
    assert (await queue.push(PUSH)).said == "main is not deployed: another has an environment of that name"
    assert (await queue.push(to(ZERO, "delivery-2"))).said == "main was deleted; it had no environment"
    assert await queue.all() == []


async def test_a_webhook_gives_no_branch_the_environment_of_a_protected_one_that_is_not_there_yet(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(branches, "machine_name", lambda branch: EnvironmentName(branch.strip("!")))
    settings = Settings.model_validate({"projects": {"shop": {
        "branches": {"store": ["stored*"]},
        "environments": {"staging": {"protected": True}, "stored": {"protected": True}},
    }}})
    async with open_store(tmp_path / "state.db") as store:
        queue = Queue(store, settings)
        for branch in ("staging!", "stored!", "main!"):
            receipt = await queue.push(dataclasses.replace(PUSH, branch=branch, delivery=branch))
            assert f"{branch} and {branch.strip('!')} would have one environment" in receipt.said
        assert await queue.all() == []
        assert await store.read(environments.list_all) == []


async def test_who_pushed_is_noted_with_what_came_of_it(queue: Queue) -> None:
    await queue.push(dataclasses.replace(PUSH, address="192.0.2.7"))
    await queue.push(dataclasses.replace(PUSH, address="192.0.2.7"))   # the same delivery again
    await queue.push(to(B, "delivery-2"))   # the same commit again, of another hook
    await queue.push(Push(SHOP, "gone", A, ZERO, "git", "bob"))
    found = [entry.deed for entry in await queue.store.read(audit.newest)]
    assert [(deed.who, deed.by, deed.address, deed.action, deed.project, deed.said) for deed in reversed(found)] == [
        ("ada", "github", "192.0.2.7", "push", "shop",
         f"activity 1: main at {B[:8]} to environment {machine_name('main')}"),
        ("bob", "git", "", "delete", "shop", "gone was deleted; it had no environment"),
    ]


async def test_a_push_beyond_the_share_is_noted_as_refused(tmp_path: Path) -> None:
    settings = Settings.model_validate({"shares": {"waiting": 1}})
    async with open_store(tmp_path / "state.db") as store:
        queue = Queue(store, settings)
        for number, branch in enumerate(("a", "b", "c")):
            await queue.push(Push(SHOP, branch, A, B, "git", "ada", f"d{number}"))
        found = [entry.deed.result for entry in await store.read(audit.newest)]
    assert found == ["refused", "refused", "done"]


async def test_a_push_that_is_only_to_be_stored_makes_no_activity_until_the_next_one(queue: Queue) -> None:
    pushed = dataclasses.replace(PUSH, how="git", delivery="", options=("no-deploy",), by="ssh, key laptop")
    receipt = await queue.push(pushed)
    assert receipt.activity is None
    assert receipt.said.startswith("main is stored at bbbbbbbb and not deployed, as asked")
    assert await queue.all() == []
    assert await queue.store.read(lambda db: kept_back.find(db, SHOP, "main")) == B
    (entry,) = await queue.store.read(audit.newest)
    assert (entry.deed.who, entry.deed.by, entry.deed.action) == ("ada", "ssh, key laptop", "push")
    assert (await queue.push(dataclasses.replace(pushed, new=A, options=()))).activity is not None
    assert await queue.store.read(lambda db: kept_back.find(db, SHOP, "main")) is None


async def test_a_deleted_branch_is_deleted_whatever_else_is_asked_for(queue: Queue) -> None:
    await queue.push(PUSH)
    receipt = await queue.push(dataclasses.replace(PUSH, new=ZERO, how="git", delivery="", options=("no-deploy",)))
    assert receipt.activity is not None


async def test_a_push_may_ask_that_everything_is_built_anew(queue: Queue) -> None:
    await queue.push(dataclasses.replace(PUSH, options=("skip-build-cache",)))
    await queue.push(to(A, "delivery-2"))
    assert sorted((activity.commit or "", activity.trigger.anew) for activity in await queue.all()) == [
        (A, False), (B, True),
    ]


WIP = dataclasses.replace(PUSH, branch="wip/idea", delivery="wip")


def stored_in(store: Store, **project: object) -> Queue:
    return Queue(store, Settings.model_validate({"projects": {"shop": project}}))


async def rest_of(store: Store, branch: str) -> str | None:
    return await store.read(lambda db: rests.of(db, EnvironmentId(SHOP, machine_name(branch))))


async def test_a_branch_that_is_to_be_stored_is_no_activity_and_stands_in_the_list(queue: Queue) -> None:
    stored = stored_in(queue.store, branches={"store": ["wip/*"]})
    receipt = await stored.push(WIP)
    assert (receipt.activity, await queue.all(), await rest_of(queue.store, "wip/idea")) == (None, [], "inactive")
    assert receipt.said == (
        "bbbbbbbb of wip/idea is stored and not deployed: `branches` in the project's settings says so;"
        " `deployd environment activate shop wip/idea` deploys it"
    )
    assert await stored.stored(WIP)
    assert not await stored.stored(PUSH)
    assert (await stored.push(PUSH)).activity == 1


async def test_only_what_the_patterns_name_is_deployed_and_production_whatever_they_say(queue: Queue) -> None:
    stored = stored_in(queue.store, branches={"deploy": ["release/*", "v1"]})
    for branch, deployed in {"main": True, "release/1/2": True, "v1": True, "v10": False, "xrelease/1": False}.items():
        push = dataclasses.replace(PUSH, branch=branch, delivery=branch)
        assert ((await stored.push(push)).activity is not None) is deployed, branch


async def test_over_max_active_a_new_branch_is_stored_and_told_what_to_do_and_those_there_go_on(queue: Queue) -> None:
    stored = stored_in(queue.store, max_active=1)
    assert (await stored.push(PUSH)).activity == 1   # production does not count
    assert (await stored.push(WIP)).activity == 2
    other = await stored.push(dataclasses.replace(PUSH, branch="other", delivery="other"))
    assert other.activity is None
    assert "1 environments of shop are active besides production, and 1 may be" in other.said
    assert "`deployd environment deactivate shop BRANCH` makes room" in other.said
    assert (await stored.push(dataclasses.replace(WIP, new=A, delivery="again"))).activity == 3


async def test_an_inactive_environment_keeps_what_it_had_and_a_push_during_its_activation_is_deployed(
    queue: Queue,
) -> None:
    queue, key = stored_in(queue.store), EnvironmentId(SHOP, machine_name("wip/idea"))
    now = SystemClock().now()
    await queue.end((await queue.push(WIP)).activity, "success")
    await queue.store.write(lambda db: rests.put(db, key, "inactive", now))
    receipt = await queue.push(dataclasses.replace(WIP, new=A, delivery="two"))
    assert (receipt.activity, "its environment is inactive" in receipt.said) == (None, True)
    new = NewActivity(KINDS["activate"], key, "wip/idea", A, Trigger("ada", "api"))
    await queue.store.write(lambda db: activities.enqueue(db, new, now))
    later = await queue.push(dataclasses.replace(WIP, new=B, delivery="three"))
    assert later.activity is not None


async def test_a_push_of_what_is_paused_is_deployed(queue: Queue) -> None:
    key = EnvironmentId(SHOP, machine_name("wip/idea"))
    await queue.end((await queue.push(WIP)).activity, "success")
    await queue.store.write(lambda db: rests.put(db, key, "paused", SystemClock().now()))
    assert (await queue.push(dataclasses.replace(WIP, new=A, delivery="two"))).activity == 2


async def test_a_flood_of_stored_branches_takes_no_share_and_a_bounded_list(
    queue: Queue, monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("deployd.deployment.stored.MOST_STORED", 3)
    stored = stored_in(queue.store, branches={"store": ["wip/*"]}, shares={"environments": 1})
    pushes = [dataclasses.replace(PUSH, branch=f"wip/{number}", delivery=str(number)) for number in range(5)]
    assert await stored.refusal(SHOP, pushes) is None
    for push in pushes:
        assert (await stored.push(push)).activity is None
    assert len(await queue.store.read(environments.list_all)) == 3
    assert await queue.store.read(environments.count_by_project) == {}
    assert (await stored.push(PUSH)).activity == 1
