"""What was live, and what a redeploy, a rollback or an end would do."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from deployd.errors import DeployError, Unusable
from deployd.ids import CommitId
from deployd.project.reader import read_project
from deployd.queries.environments import EnvironmentQueries
from deployd.queries.forecasts import ForecastQueries, forecast_kind
from deployd.queries.pushes import NotAgain
from deployd.queries.versions import NothingLive, VersionQueries
from deployd.release.paths import Places
from deployd.settings import Settings
from deployd.state import environments
from tests.doubles.trees import DictTree
from tests.support.commands_world import NOW, SHOP_MAIN, World, version

APP = "name: app\ntype: 'php:8.4'\nweb: {locations: {/: {root: web}}}\n"
CONFIG = read_project(DictTree({".platform.app.yaml": APP}))


class Host:
    """What a rollback's forecast reaches."""

    def __init__(self, world: World, folder: Path) -> None:
        self.settings = Settings.model_validate({"directory": str(folder), "projects": {"shop": {}}})
        self.facts, self.code, self.slugs, self.there = self, self, self, True
        self.places = Places(folder, folder)
        self.live, self.tip_now = world.live, world.tip_now
        self.wrong = ""

    async def uid(self, project: str) -> int:
        return 10_000

    async def read(self, project: Any, commit: str) -> Any:
        if commit == self.wrong:
            raise DeployError("its files are wrong")
        return CONFIG

    async def about(self, project: str, commit: str) -> Any:
        return SimpleNamespace(subject="Mend it", author="Ada")

    async def tip(self, project: str, branch: str) -> CommitId | None:
        return self.tip_now

    async def has(self, slug: str) -> bool:
        return self.there


@pytest.fixture
def world(tmp_path: Path) -> World:
    return World(tmp_path)


@pytest.fixture
def host(world: World, tmp_path: Path) -> Host:
    return Host(world, tmp_path)


@pytest.fixture
def forecasts(world: World, host: Host) -> ForecastQueries:
    store: Any = world.store
    known = EnvironmentQueries(store, host.settings, lambda _: ())
    versions = VersionQueries(store, host.settings, known)
    return ForecastQueries(store, host, known, versions)   # type: ignore[arg-type]


async def test_a_rollback_is_told_with_code_configuration_plan_and_the_time_it_took(
    world: World, forecasts: ForecastQueries,
) -> None:
    await world.went_live(version("a", "old"), version("b", "new"))
    found = await forecasts.of("rollback", "shop", "main")
    assert found.before is not None
    assert found.after is not None
    assert (found.before.commit, found.after.commit, found.after.activity) == ("b" * 40, "a" * 40, 1)
    assert (found.same_code, found.same_configuration, found.locks, found.newest) == (False, False, True, 2)
    assert found.lines[0] == "app: reuse (built before with the same input)"
    assert (found.refused, found.last_seconds) == ((), None)
    await world.went_live(version("c", "new"))
    other = await forecasts.of("rollback", "shop", "main", 2)
    assert (other.same_code, other.same_configuration) == (False, True)
    with pytest.raises(NothingLive, match="main has no version 9"):
        await forecasts.of("rollback", "shop", "main", 9)


async def test_what_would_fail_is_told(world: World, forecasts: ForecastQueries, host: Host) -> None:
    await world.went_live(version("a"), version("b"))
    host.there = False
    found = await forecasts.of("rollback", "shop", "main")
    assert found.refused == ("the slug of app of that version is not in storage any more",)
    assert found.lines == ()


async def test_an_end_names_what_goes_and_what_becomes_of_the_data(
    world: World, forecasts: ForecastQueries, host: Host,
) -> None:
    await world.went_live(version("a"))
    found = await forecasts.of("delete", "shop", "main")
    assert found.after is None
    assert found.lines == ("http://shop.test/: route removed", "app: containers removed")
    assert found.data.startswith("is kept for 7 days")
    at_once = host.settings.collect.model_copy(update={"deleted_days": 0})
    host.settings = host.settings.model_copy(update={"collect": at_once})
    gone = "is removed at once: databases, files in mounts and passwords"
    assert (await forecasts.of("delete", "shop", "main")).data == gone


async def test_nothing_live_has_nothing_to_deploy_once_more(world: World, forecasts: ForecastQueries) -> None:
    await world.store.write(lambda db: environments.ensure(db, SHOP_MAIN, "main", NOW))
    with pytest.raises(NothingLive, match="nothing is live in main"):
        await forecasts.of("redeploy", "shop", "main")
    with pytest.raises(Unusable, match="kind cannot be 'purge'"):
        forecast_kind("purge")


async def test_a_push_once_more_is_told_with_what_is_live(
    world: World, forecasts: ForecastQueries, host: Host,
) -> None:
    await world.went_live(version("a"))
    host.wrong = "f" * 40
    push = await world.pushed("f" * 40, "failed")
    found = await forecasts.of("push", "shop", "main", push)
    assert found.before is not None
    assert found.after is not None
    assert (found.before.commit, found.after.commit, found.after.activity) == ("a" * 40, "f" * 40, push)
    assert (found.after.subject, found.after.since, found.same_code, found.newest) == ("Mend it", "", False, push)
    assert found.refused == ("its files are wrong",)
    with pytest.raises(NotAgain, match="has moved on"):
        await forecasts.of("push", "shop", "main", await world.pushed("b" * 40, "failed"))


async def test_versions_are_told_newest_first_with_who_made_them(
    world: World, forecasts: ForecastQueries,
) -> None:
    await world.went_live(version("a"), version("b"))
    found = await forecasts._versions.all("shop", "main")
    assert [(item.activity, item.live, item.kind, item.who, item.commit[0]) for item in found] == [
        (2, True, "push", "ada", "b"), (1, False, "push", "ada", "a"),
    ]
    assert found[0].seconds == 0.0
