"""Pushes that no activity was made for are found; everything else is left alone."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from deployd.clock import SystemClock
from deployd.deployment.kinds import KINDS
from deployd.deployment.requests import Requests
from deployd.environment.naming import machine_name
from deployd.errors import DeployError, Transient
from deployd.ids import ActivityId, CommitId, EnvironmentId, ProjectId
from deployd.settings import EnvironmentSettings, ProjectSettings, Remote, Settings
from deployd.state import activities, environments, kept_back, rests
from deployd.state.activities import Activity, NewActivity, State, Trigger
from deployd.state.store import Store, open_store
from deployd.upkeep.branches import Branches
from deployd.upkeep.lost_pushes import MOST_FAILED, LostPushes

A, B = CommitId("a" * 40), CommitId("b" * 40)
SHOP = ProjectId("shop")


@dataclass
class Repositories:
    """A mirror in memory; `remote` replaces it at a fetch."""

    mirror: dict[str, CommitId] = field(default_factory=dict)
    remote: dict[str, CommitId] | None = None
    reachable: bool = True
    on_look: list[Callable[[], None]] = field(default_factory=list)

    async def fetch(self, project: ProjectSettings) -> None:
        if not self.reachable:
            raise Transient(DeployError("cannot fetch"), 1.0)
        if self.remote is not None:
            self.mirror = dict(self.remote)

    async def branches(self, project: ProjectId) -> Mapping[str, CommitId]:
        found = dict(self.mirror)
        if self.on_look:
            self.on_look.pop(0)()
        return found


@dataclass
class Stand:
    store: Store
    code: Repositories
    folder: Path
    woken: int = 0

    async def look(self, *, remote: bool = False, protected: str = "") -> list[Activity]:
        """A daemon starts and looks. Returns the activities that it made."""
        there = Remote(url="https://forge.example/shop.git", forge="github") if remote else None
        own = {protected: EnvironmentSettings.model_validate({"protected": True})} if protected else {}
        projects = {SHOP: ProjectSettings(id=SHOP, remote=there, environments=own)}
        lost = LostPushes(self.store, self.requests(), self.branches(projects), confirm_seconds=0)
        made = await lost.look()
        found = [await self.store.read(lambda db, number=number: activities.find(db, number)) for number in made]
        return [activity for activity in found if activity]

    async def did(
        self, kind: str, branch: str, commit: CommitId | None, state: State = "success", how: str = "git",
    ) -> ActivityId:
        """An activity of before."""
        now, name = SystemClock().now(), machine_name(branch)

        def write(db):
            environments.ensure(db, EnvironmentId(SHOP, name), branch, now)
            number = activities.enqueue(
                db, NewActivity(KINDS[kind], EnvironmentId(SHOP, name), branch, commit, Trigger("ada", how)), now)
            if state != "pending":
                activities.begin(db, number, now)
                activities.finish(db, number, state, "", now)
            return number
        return await self.store.write(write)

    def requests(self) -> Requests:
        shares = {"waiting": 1000, "environments": 1000}
        return Requests(self.store, Settings.model_validate({"shares": shares}), SystemClock(), self._wake)

    def branches(self, projects: Mapping[ProjectId, ProjectSettings]) -> Branches:
        return Branches(projects, self.code, self.folder)

    def _wake(self) -> None:
        self.woken += 1


@pytest.fixture
async def stand(tmp_path: Path) -> AsyncIterator[Stand]:
    async with open_store(tmp_path / "state.db") as store:
        yield Stand(store, Repositories(), tmp_path / "seen")


async def test_a_pushed_branch_whose_hook_died_is_deployed_once(stand: Stand) -> None:
    stand.code.mirror = {"main": A}
    made = await stand.look()
    assert [(item.kind, item.branch, item.commit, item.trigger.how) for item in made] == [("push", "main", A, "daemon")]
    assert stand.woken == 1
    assert await stand.look() == [], "it has its activity now"


@pytest.mark.parametrize("state", ["pending", "success", "failed", "cancelled", "superseded"])
async def test_a_tip_that_had_its_activity_is_left_alone_however_that_ended(stand: Stand, state: State) -> None:
    stand.code.mirror = {"main": A}
    await stand.did("push", "main", A, state)
    assert await stand.look() == []


async def test_a_branch_that_moved_on_unnoticed_is_deployed(stand: Stand) -> None:
    await stand.did("push", "main", A)
    stand.code.mirror = {"main": B}
    assert [item.commit for item in await stand.look()] == [B]


async def test_a_rollback_or_redeploy_is_not_undone(stand: Stand) -> None:
    stand.code.mirror = {"main": B}
    await stand.did("push", "main", A)
    await stand.did("push", "main", B)
    await stand.did("rollback", "main", A)
    await stand.did("redeploy", "main", A)
    assert await stand.look() == []


async def test_a_push_that_is_on_its_way_makes_its_own_activity(stand: Stand) -> None:
    stand.code.mirror = {"main": A, "other": A}
    stand.code.on_look = [lambda: stand.code.mirror.update(other=B)]   # moves between the two looks
    assert [item.branch for item in await stand.look()] == ["main"]


async def test_an_activity_that_comes_between_the_looks_is_enough(stand: Stand) -> None:
    stand.code.mirror = {"main": A}
    first = stand.code.branches

    async def slow(project: ProjectId) -> Mapping[str, CommitId]:
        found = await first(project)
        if not stand.woken:
            stand.woken = -1
        else:
            await stand.did("push", "main", A, "pending")
        return found
    stand.code.branches = slow
    assert await stand.look() == []


async def test_a_lost_webhook_is_healed_by_the_fetch(stand: Stand) -> None:
    await stand.did("push", "main", A)
    stand.code.remote = {"main": B}
    assert [item.commit for item in await stand.look(remote=True)] == [B]
    assert await stand.look(remote=True) == []


async def test_branches_that_a_remote_had_at_the_first_look_wait_for_their_first_push(stand: Stand) -> None:
    stand.code.remote = {"main": A, "old": A}
    assert await stand.look(remote=True) == []
    stand.code.remote = {"main": A, "old": B, "new": B}
    assert {item.branch for item in await stand.look(remote=True)} == {"old", "new"}


async def test_a_branch_that_is_gone_takes_its_environment_along(stand: Stand) -> None:
    await stand.did("push", "main", A)
    await stand.did("push", "feature", A)
    stand.code.remote = {"main": A}
    assert [(item.kind, item.branch) for item in await stand.look(remote=True)] == [("delete", "feature")]
    assert await stand.look(remote=True) == [], "not while it is being deleted, and not again when that failed"


async def test_production_and_an_emptied_remote_are_never_deleted(stand: Stand) -> None:
    await stand.did("push", "main", A)
    await stand.did("push", "feature", A)
    stand.code.remote = {"feature": A}
    assert await stand.look(remote=True) == []
    stand.code.remote = {}
    assert await stand.look(remote=True) == []


async def test_a_branch_that_is_missing_here_is_kept_without_a_remote(stand: Stand) -> None:
    await stand.did("push", "feature", A)
    stand.code.mirror = {"main": A}
    assert [item.branch for item in await stand.look()] == ["main"]


async def test_a_remote_that_does_not_answer_says_nothing(stand: Stand) -> None:
    await stand.did("push", "main", A)
    stand.code.mirror, stand.code.reachable = {"main": B}, False
    assert await stand.look(remote=True) == []


async def test_a_branch_that_is_deleted_and_pushed_again_lives_again(stand: Stand) -> None:
    await stand.did("push", "main", A)
    await stand.did("delete", "main", None)
    stand.code.mirror = {"main": A}
    assert [item.kind for item in await stand.look()] == ["push"]


async def test_a_remote_that_hangs_keeps_no_other_project_waiting(stand: Stand) -> None:
    other = ProjectId("other")
    found = asyncio.Event()
    fetched: list[ProjectId] = []

    async def fetch(project: ProjectSettings) -> None:
        fetched.append(project.id)
        if project.id == SHOP:   # until the other one is through with both of its looks
            async with asyncio.timeout(30):
                await found.wait()
            raise Transient(DeployError("it did not answer"), 1.0)

    stand.code.fetch = fetch  # type: ignore[method-assign]
    stand.code.mirror = {"main": A}
    await asyncio.to_thread(stand.folder.mkdir, parents=True, exist_ok=True)
    await asyncio.to_thread((stand.folder / f"{other}.json").write_text, "{}")
    there = Remote(url="https://forge.example/x.git", forge="github")
    projects = {name: ProjectSettings(id=name, remote=there) for name in (SHOP, other)}
    requests = Requests(stand.store, Settings(), SystemClock(), found.set)
    lost = LostPushes(stand.store, requests, stand.branches(projects), confirm_seconds=0)
    (made,) = await lost.look()
    activity = await stand.store.read(lambda db: activities.find(db, made))
    assert activity is not None
    assert activity.project == other
    assert fetched.count(other) == 2


async def test_branches_beyond_the_share_stay_lost_and_are_made_when_there_is_room(stand: Stand) -> None:
    room, asked = False, 0

    def refuse(db: object, project: ProjectId, wanted: object) -> None:
        nonlocal asked
        asked += 1
        if not room:
            raise DeployError("the project has all that it may have")

    stand.code.mirror = {f"b{number}": A for number in range(500)}
    projects = {SHOP: ProjectSettings(id=SHOP)}
    requests = stand.requests()
    requests.refuse_beyond_share = refuse  # type: ignore[method-assign]
    lost = LostPushes(stand.store, requests, stand.branches(projects), confirm_seconds=0)
    assert await lost.look() == []
    assert asked == MOST_FAILED, "a flood is not asked for one by one"
    room = True
    assert len(await lost.look()) == 500


@pytest.mark.parametrize("name", ["HEAD", "refs/heads/main", "-x", "main\u2028x", "ma\udcffin", "a" * 40])
async def test_an_odd_branch_that_lies_there_already_is_left_alone(stand: Stand, name: str) -> None:
    stand.code.mirror = {"main": B, name: A}
    assert [activity.branch for activity in await stand.look()] == ["main"]


async def test_a_branch_that_has_the_name_of_another_ones_environment_is_left_alone(stand: Stand) -> None:
    now = SystemClock().now()
    here = EnvironmentId(SHOP, machine_name("main"))
    await stand.store.write(lambda db: environments.ensure(db, here, "another", now))
    stand.code.mirror = {"main": A}
    assert await stand.look() == []


async def test_an_environment_that_somebody_ended_stays_away_until_its_branch_moves_on(stand: Stand) -> None:
    stand.code.mirror = {"next": A}
    await stand.did("push", "next", A)
    await stand.did("delete", "next", A, how="api")
    assert await stand.look() == []
    stand.code.mirror = {"next": B}
    assert [(item.kind, item.commit) for item in await stand.look()] == [("push", B)]


async def test_a_protected_environment_that_came_by_promotions_has_no_branch_and_stays(stand: Stand) -> None:
    await stand.did("push", "main", A)
    await stand.did("promote", "staging", A, how="api")
    stand.code.remote = {"main": A}
    assert await stand.look(remote=True, protected="staging") == []
    assert [item.kind for item in await stand.look(remote=True)] == ["delete"], "as any other whose branch is gone"


async def test_an_old_branch_is_not_pushed_again_over_what_was_promoted_since_then(stand: Stand) -> None:
    stand.code.mirror = {"production": A}
    await stand.did("promote", "production", B, how="api")
    assert await stand.look(protected="production") == []
    await stand.did("push", "production", A)
    await stand.did("promote", "production", B, how="api")
    assert await stand.look(protected="production") == []
    stand.code.mirror = {"production": B}
    assert [item.commit for item in await stand.look(protected="production")] == [B], "a push that its hook lost"


async def test_a_push_that_was_only_to_be_stored_is_not_lost(stand: Stand) -> None:
    await stand.did("push", "main", A)
    stand.code.mirror = {"main": B}
    await stand.store.write(lambda db: kept_back.keep(db, SHOP, "main", B, SystemClock().now()))
    assert await stand.look() == []
    await stand.store.write(lambda db: kept_back.forget(db, SHOP, "main"))
    assert [activity.commit for activity in await stand.look()] == [B]


async def test_a_branch_that_is_stored_is_not_lost_however_it_moves_on(stand: Stand) -> None:
    key = EnvironmentId(SHOP, machine_name("wip"))
    await stand.did("push", "wip", A)
    stand.code.mirror = {"wip": B}
    await stand.store.write(lambda db: rests.put(db, key, "inactive", SystemClock().now()))
    assert await stand.look() == []
    await stand.store.write(lambda db: rests.put(db, key, "paused", SystemClock().now()))
    assert [(item.kind, item.commit) for item in await stand.look()] == [("push", B)]


async def test_what_was_activated_at_its_tip_is_not_lost(stand: Stand) -> None:
    await stand.did("push", "wip", A)
    await stand.did("activate", "wip", B, how="api")
    stand.code.mirror = {"wip": B}
    assert await stand.look() == []
    stand.code.mirror = {"wip": A}
    assert [item.commit for item in await stand.look()] == [A]
