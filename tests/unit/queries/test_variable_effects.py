"""What another value of a variable would build and start anew, and where."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest
import pytest_asyncio

from deployd.activity.journal import read_result, write_result
from deployd.catalogue import load_catalogue
from deployd.clock import SystemClock
from deployd.deployment.desired import Candidate, find_wanted
from deployd.environment.kept_variables import NO_VARIABLES, KeptVariable
from deployd.environment.naming import machine_name
from deployd.ids import ActivityId, CommitId, EnvironmentId, EnvironmentName, ProjectId
from deployd.project.reader import read_project
from deployd.queries.variable_effects import EffectShape, VariableEffects
from deployd.release.kept_variables import WhatIf, levels_at, seen_now
from deployd.release.release import Environment
from deployd.release.version import Version
from deployd.settings import ProjectSettings, Settings
from deployd.settings.config_files import config_folder
from deployd.state import environments, rests, variables
from deployd.state.sealing import Sealer
from deployd.state.variables import OF_PROJECT
from tests.doubles.store import MemoryStore
from tests.doubles.trees import DictTree

SHOP = ProjectId("shop")
SEALER = Sealer([bytes(32)])
NOW = datetime(2026, 5, 4, 10, 0, tzinfo=UTC)
APP = """
name: {name}
type: php:8.2
relationships: {relationships}
web: {{locations: {{"/": {{root: web, passthru: /index.php}}}}}}
"""
FILES = {
    "app/.platform.app.yaml": APP.format(name="app", relationships='{api: "api:http"}'),
    "api/.platform.app.yaml": APP.format(name="api", relationships="{}"),
    "alone/.platform.app.yaml": APP.format(name="alone", relationships="{}"),
    ".platform/routes.yaml": '"https://{default}/": {type: upstream, upstream: "app:http"}\n',
}


class Town:
    """Two environments with the same code, `main` and `dev`, as a host knows them."""

    def __init__(self, folder: Path, **project: Any) -> None:
        self.store = MemoryStore()
        self.settings = Settings.model_validate({"directory": str(folder), "projects": {"shop": project}})
        self.host = cast(Any, SimpleNamespace(
            settings=self.settings, clock=SystemClock(), facts=self, code=self, images=self, slugs=self,
            catalogue=load_catalogue(config_folder() / "catalogue.yaml"),
        ))
        self.effects = VariableEffects(cast(Any, self.store), self.host, SEALER)

    @property
    def project(self) -> ProjectSettings:
        return self.settings.projects[SHOP]

    async def goes_live(self, branch: str) -> None:
        """With the variables of now."""
        place = EnvironmentId(SHOP, machine_name(branch))
        config = (await self.read()).config
        seen = await self.store.read(lambda db: seen_now(db, self.project, branch))
        levels = await self.store.read(lambda db: levels_at(db, SEALER, self.project, branch, seen))
        where = Environment("test", self.project.with_kept_variables(levels), place, branch)
        candidate = Candidate(where, ActivityId(1), CommitId("c" * 40), config, variables=NO_VARIABLES)
        found = await find_wanted(self.host, candidate, None, lambda _: None)
        version = replace(found.version, variables=seen)

        def write(db: Any) -> None:
            environments.ensure(db, place, branch, NOW)
            environments.set_live(db, place, ActivityId(hash(branch) % 10**6), write_result(version), NOW)

        await self.store.write(write)

    async def keep(self, where: str, name: str, value: str) -> None:
        level = machine_name(where) if where else OF_PROJECT
        await self.store.write(
            lambda db: variables.put(db, SEALER, SHOP, level, KeptVariable(name=name, value=value), "ada", NOW))

    async def of(self, where: str, name: str, value: str | None, **more: Any) -> dict[str, EffectShape]:
        level = machine_name(where) if where else OF_PROJECT
        after = None if value is None else KeptVariable(name=name, value=value, **more)
        found = await self.effects.of(self.project, WhatIf(EnvironmentName(level), name, after))
        return {item.branch: item for item in found}

    async def read(self, *_: Any) -> Any:
        return read_project(DictTree(FILES))

    async def live(self, environment: EnvironmentId) -> Version | None:
        text = await self.store.read(lambda db: environments.live_version(db, environment))
        return read_result(text, Version) if text else None

    async def ensure(self, *_: Any) -> str:
        return "sha256:image"

    async def has(self, slug: str) -> bool:
        return False

    async def listing(self, *_: Any) -> str:
        return "files"

    async def tree(self, *_: Any) -> str:
        return "t" * 40

    async def uid(self, project: ProjectId) -> int:
        return 20_000


@pytest_asyncio.fixture
async def town(tmp_path: Path) -> AsyncIterator[Town]:
    made = Town(tmp_path)
    for branch in ("main", "dev"):
        await made.goes_live(branch)
    yield made
    made.store.close()


async def test_what_builds_see_is_built_and_the_plan_says_it(town: Town) -> None:
    found = (await town.of("dev", "env:X", "1", applications=("alone",)))["dev"]
    assert (found.when, found.built, found.restarted) == ("now", ("alone",), ("alone",))
    assert "alone: build (a variable that builds see changed)" in found.lines


async def test_what_only_run_time_sees_starts_anew_who_sees_it_and_who_is_related_to_it(town: Town) -> None:
    found = (await town.of("dev", "env:X", "1", visible_build=False, applications=("api",)))["dev"]
    assert (found.when, found.built, found.restarted) == ("now", (), ("api", "app"))


@pytest.mark.parametrize("more", [
    {"enabled": False}, {"visible_build": False, "visible_runtime": False}, {"applications": ("nobody",)},
])
async def test_what_nobody_sees_changes_nothing(town: Town, more: dict[str, Any]) -> None:
    found = (await town.of("dev", "env:X", "1", **more))["dev"]
    assert (found.when, found.built, found.restarted) == ("never", (), ())


async def test_children_get_it_with_their_next_deployment(town: Town) -> None:
    found = await town.of("main", "env:X", "1", visible_build=False)
    assert [(item.branch, item.when) for item in found.values()] == [("main", "now"), ("dev", "next deployment")]
    assert found["dev"].lines == ()
    found = await town.of("main", "env:X", "1", inheritable=False)
    assert found["dev"].when == "never"
    assert [*await town.of("dev", "env:X", "1")] == ["dev"], "nobody inherits of it"


async def test_a_projects_variable_is_nowhere_deployed_by_itself(town: Town) -> None:
    found = await town.of("", "env:X", "1")
    everywhere = ("next deployment", ("alone", "api", "app"))
    assert [(item.when, item.built) for item in found.values()] == [everywhere, everywhere]


async def test_what_a_nearer_one_hides_changes_nothing(town: Town) -> None:
    await town.keep("dev", "env:X", "own")
    await town.goes_live("dev")
    assert (await town.of("", "env:X", "other"))["dev"].when == "never"
    assert (await town.of("dev", "env:X", None))["dev"].when == "now"


async def test_back_to_what_is_live_is_nothing_to_deploy(town: Town) -> None:
    await town.keep("dev", "env:X", "1")
    found = (await town.of("dev", "env:X", None))["dev"]
    assert (found.when, found.why) == ("never", "what is live there has that value already")


async def test_what_is_at_rest_or_not_live_gets_it_later(town: Town) -> None:
    dev = EnvironmentId(SHOP, machine_name("dev"))
    await town.store.write(lambda db: rests.put(db, dev, "paused", NOW))
    found = (await town.of("dev", "env:X", "1"))["dev"]
    assert (found.when, found.why, found.lines) == ("next deployment", "it is paused", ())
    await town.store.write(lambda db: environments.ensure(db, EnvironmentId(SHOP, machine_name("new")), "new", NOW))
    assert (await town.of("new", "env:X", "1"))["new"].why == "nothing is live there yet"
