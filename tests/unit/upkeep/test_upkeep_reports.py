"""Forges are told how their pushes end: over HTTP, by an API that checks what it is sent."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any, cast

import pytest
from aiohttp import web

from deployd.activity.error_boundary import ErrorBoundary
from deployd.clock import SystemClock
from deployd.deployment.kinds import DELETE, PUSH
from deployd.ids import ActivityId, CommitId, EnvironmentId, EnvironmentName, ProjectId
from deployd.settings import ProjectSettings, Remote, Settings
from deployd.settings.project import Reports
from deployd.state import activities, entries, reports
from deployd.state.activities import NewActivity, State, Trigger
from deployd.state.entries import Entry
from deployd.state.store import Store
from deployd.upkeep.reports import reports as reporting
from deployd.upkeep.reports.reports import Reporter
from tests.doubles.forge_api import TOKEN, ForgeApi, forge_api
from tests.doubles.store import MemoryStore

SHOP = ProjectId("shop")
ENVIRONMENT = EnvironmentId(SHOP, EnvironmentName("main-bvxea6p"))
A, B = CommitId("a" * 40), CommitId("b" * 40)
GITHUB, GITLAB = "https://github.example/example/shop.git", "git@gitlab.example:example/team/shop.git"


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reporting, "LOOK_SECONDS", 0.01)


class World:
    """A daemon's database, and a forge that is told."""

    def __init__(self, api: ForgeApi, forge: str) -> None:
        self.store = MemoryStore()
        self.api = api
        self.clock = SystemClock()
        self.boundary = ErrorBoundary("reports", longest_seconds=0.05)
        told = Reports(token=TOKEN, api=api.url)   # type: ignore[arg-type]
        remote = Remote(url=GITHUB if forge == "github" else GITLAB, forge=forge, reports=told)   # type: ignore[arg-type]
        self.settings = Settings(
            public_url="https://deployd.example", state=Path("/nowhere/state"), run=Path("/nowhere/run"),
            projects={SHOP: ProjectSettings(id=SHOP, remote=remote)},
        )

    def push(self, commit: CommitId = A, branch: str = "main", kind: Any = PUSH) -> ActivityId:
        return activities.enqueue(
            self.store.db, NewActivity(kind, ENVIRONMENT, branch, commit, Trigger("anna", "github")), self.clock.now())

    def begins(self, activity: ActivityId, step: str = "") -> None:
        activities.begin(self.store.db, activity, self.clock.now())
        if step:
            entries.append(self.store.db, activity, Entry(step, "started", self.clock.now()))

    def ends(self, activity: ActivityId, state: State = "success", reason: str = "") -> None:
        activities.finish(self.store.db, activity, state, reason, self.clock.now())

    @asynccontextmanager
    async def told(self, clean: Callable[[str], str] = str) -> AsyncIterator[Reporter]:
        """A daemon runs."""
        made = Reporter(cast(Store, self.store), self.settings, self.clock, clean, boundary=self.boundary)
        task = asyncio.create_task(made.serve())
        try:
            yield made
        finally:
            task.cancel()
            with suppress(asyncio.CancelledError):
                await task

    async def until_told(self, activity: ActivityId, stage: str) -> None:
        await until(lambda: reports.find(self.store.db, activity).told == stage)


async def until(holds: Callable[[], bool]) -> None:
    async with asyncio.timeout(20):
        while not holds():
            await asyncio.sleep(0.01)


@asynccontextmanager
async def world(forge: str = "github") -> AsyncIterator[World]:
    async with forge_api() as api:
        made = World(api, forge)
        yield made
        assert api.wrong == []
        made.store.close()


async def test_github_sees_each_phase_and_a_deployment_with_its_address() -> None:
    async with world() as it, it.told():
        push = it.push()
        await it.until_told(push, "pending")
        it.begins(push, "fetch")
        await it.until_told(push, "in_progress validate")
        it.begins(push, "build_apps")
        await it.until_told(push, "in_progress build")
        it.ends(push)
        await it.until_told(push, "success")
        assert [(item["state"], item["description"]) for item in it.api.statuses] == [
            ("pending", "push waits"), ("pending", "push: validate"), ("pending", "push: build"),
            ("success", "push is live"),
        ]
        last = it.api.statuses[-1]
        assert (last["context"], last["sha"]) == ("deployd/main", A)
        assert last["target_url"] == f"https://deployd.example/activities/{push}"
        [deployment] = it.api.deployments.values()
        assert deployment["states"] == ["queued", "in_progress", "success"], "not each phase"
        assert (deployment["environment"], deployment["production_environment"]) == ("main", True)


async def test_gitlab_sees_the_same_in_its_own_words() -> None:
    async with world("gitlab") as it, it.told():
        push = it.push(branch="feature/x")
        it.begins(push, "fetch")
        await it.until_told(push, "in_progress validate")
        it.begins(push, "build_apps")
        await it.until_told(push, "in_progress build")
        it.ends(push, "failed", "the build hook of app ended with exit code 1")
        await it.until_told(push, "failed")
        assert [item["state"] for item in it.api.statuses] == ["running", "failed"], "a state is told once"
        assert it.api.statuses[-1]["description"] == "push failed: the build hook of app ended with exit code 1"
        [deployment] = it.api.deployments.values()
        assert (deployment["states"], deployment["ref"]) == (["running", "failed"], "feature/x")


@pytest.mark.parametrize("answer", [
    lambda: web.json_response({"message": "Bad credentials"}, status=401),
    lambda: web.json_response({"message": "Not Found"}, status=404),
    lambda: web.Response(status=502, text="<html>half a bo"),
    lambda: web.Response(status=302, headers={"Location": "http://127.0.0.1:1/elsewhere"}),
    lambda: web.json_response({"message": "rate limit exceeded"}, status=403, headers={"Retry-After": "1"}),
    lambda: web.json_response({"message": "slow down"}, status=429, headers={"Retry-After": "1"}),
])
async def test_a_forge_that_refuses_is_asked_again_until_it_knows_what_is_true(
    answer: Callable[[], web.Response],
) -> None:
    refused = 0

    def refuse(request: web.Request) -> web.Response | None:
        nonlocal refused
        refused += 1
        return answer() if refused <= 2 else None

    async with world() as it:
        it.api.refuse = refuse
        async with it.told():
            push = it.push()
            await until(lambda: refused > 0)
            it.begins(push)
            it.ends(push)
            await it.until_told(push, "success")
        assert [item["state"] for item in it.api.statuses] == ["success"]
        assert it.boundary.troubles() == []


async def test_what_a_forge_will_never_take_is_left_out_and_the_rest_is_told() -> None:
    async with world() as it:
        it.api.refuse = lambda request: web.json_response(
            {"message": "No commit found for SHA"}, status=422) if "/statuses/a" in request.path else None
        async with it.told():
            push = it.push()
            it.begins(push)
            it.ends(push)
            await it.until_told(push, "success")
        assert it.api.statuses == []
        assert len(it.api.deployments) == 1


async def test_a_branch_of_which_the_token_may_not_tell_keeps_no_other_waiting() -> None:
    async with world() as it:
        it.api.refuse = lambda request: web.json_response(
            {"message": "Not Found"}, status=404) if "/statuses/a" in request.path else None
        async with it.told():
            refused, other = it.push(A, "protected"), it.push(B)
            for push in (refused, other):
                it.begins(push)
                it.ends(push)
            await it.until_told(other, "success")
        assert reports.find(it.store.db, refused).told == ""


async def test_an_answer_that_comes_in_pieces_is_read_whole() -> None:
    async def pieces() -> AsyncIterator[bytes]:
        for piece in (b'{"url": "https://forge.example",', b' "id": 1}'):
            yield piece
            await asyncio.sleep(0.05)

    made = 0
    async with world() as it:
        def refuse(request: web.Request) -> web.Response | None:
            nonlocal made
            if not request.path.endswith("/deployments"):
                return None
            made += 1
            it.api.deployments[1] = {"states": []}
            return web.Response(status=201, body=pieces())

        it.api.refuse = refuse
        async with it.told():
            push = it.push()
            it.begins(push)
            it.ends(push)
            await it.until_told(push, "success")
        assert made == 1, "else there would be one more with each try"


async def test_nothing_is_made_twice_by_a_daemon_that_is_started_again() -> None:
    async with world() as it:
        async with it.told():
            push = it.push()
            it.begins(push, "build_apps")
            await it.until_told(push, "in_progress build")
        it.ends(push)
        async with it.told():
            await it.until_told(push, "success")
        assert len(it.api.deployments) == 1
        assert [item["state"] for item in it.api.statuses] == ["pending", "success"]


async def test_a_state_that_is_older_than_one_told_is_not_told() -> None:
    async with world() as it:
        first, second = it.push(), it.push()     # the same commit: the first one is superseded
        it.begins(second)
        it.ends(second)
        async with it.told():
            await it.until_told(second, "success")
            await asyncio.sleep(0.1)
        assert [item["state"] for item in it.api.statuses] == ["success"]
        assert reports.find(it.store.db, first).told == ""


async def test_what_is_no_deployment_and_what_is_secret_is_not_told() -> None:
    async with world() as it, it.told(clean=lambda text: text.replace("hunter2", "***")):
        gone = it.push(kind=DELETE)
        push = it.push(B)
        it.begins(push)
        it.ends(push, "failed", "cannot log in with hunter2")
        await it.until_told(push, "failed")
        assert [item["description"] for item in it.api.statuses] == ["push failed: cannot log in with ***"]
        assert reports.find(it.store.db, gone).told == ""


async def test_after_a_day_it_is_given_up() -> None:
    async with world() as it:
        it.api.refuse = lambda _: web.Response(status=500)
        push = it.push()
        it.begins(push)
        it.ends(push)
        async with it.told():
            await until(lambda: reports.find(it.store.db, push).failing_since is not None)
            since = reports.find(it.store.db, push)
            reports.put(it.store.db, replace(since, failing_since=it.clock.now() - timedelta(days=2)))
            await it.until_told(push, "success")
        assert it.api.statuses == []
