"""An application in several instances: what they are called, who is led to which, and how many there are."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from deployd.engine.names import ACTIVITY, PART, ROLE
from deployd.engine.observed import ContainerSeen
from deployd.ids import ActivityId, CommitId, EnvironmentId, EnvironmentName, ProjectId, SlugKey
from deployd.inside.targets import choose_part
from deployd.output.sources import OutputFilter, source_of
from deployd.plan import KeyParts
from deployd.project.reader import read_project
from deployd.release.applications.instance_count import instances_of
from deployd.release.fingerprint import live_containers, out_of_balance, routes_origin
from deployd.release.release import Release
from deployd.release.version import AppVersion, Version
from deployd.release.version_removal import in_order_of_removal
from deployd.settings import ProjectSettings, Settings
from deployd.upkeep.survey import missing_parts
from tests.doubles.engine import EngineDouble
from tests.doubles.trees import DictTree

PARTS = KeyParts("", "", "", "", "")
SHOP = AppVersion("shop", SlugKey("0" * 64), "", "", PARTS, "", ("shop--queue",), instances=3)
API = AppVersion("api", SlugKey("1" * 64), "", "", PARTS, "")
VERSION = Version(ActivityId(7), CommitId("c" * 40), (SHOP, API), (), ())
EVERY = {("web", "shop"), ("web", "shop.2"), ("web", "shop.3"), ("app", "shop"), ("app", "shop.2"), ("app", "shop.3"),
         ("worker", "shop--queue"), ("web", "api"), ("app", "api")}
PROJECT = ProjectSettings(id=ProjectId("p"))


def containers(*but_for: tuple[str, str], activity: str = "7") -> list[ContainerSeen]:
    """All that the version has; those that are named do not run."""
    engine = EngineDouble()
    return [
        engine.add(f"{part}-{role}", {ROLE: role, PART: part, ACTIVITY: activity}, f"10.0.0.{number}", "n",
                   running=(role, part) not in but_for)
        for number, (role, part) in enumerate(sorted(EVERY))
    ]


def test_each_instance_is_a_part_of_its_version() -> None:
    assert SHOP.webs == ("shop", "shop.2", "shop.3")
    assert VERSION.app_of("shop.3") == SHOP
    assert VERSION.app_of("shop.4") is None
    kept = VERSION.with_homes({"shop": ActivityId(5)})
    assert kept.home("shop.2") == ActivityId(5)
    assert kept.kept_parts() == {"5": {"shop", "shop.2", "shop.3", "shop--queue"}}


def test_an_instance_that_is_kept_is_live_and_one_too_many_is_not() -> None:
    kept = VERSION.with_homes({"shop": ActivityId(5)})
    found = live_containers(kept, containers(activity="5"))
    assert {item.labels[PART] for item in found} == {"shop", "shop.2", "shop.3", "shop--queue"}


def test_an_instance_that_somebody_removed_is_missed() -> None:
    there = [item for item in containers() if item.name != "shop.2-app"]
    assert missing_parts(VERSION, there) == {("app", "shop.2")}
    assert missing_parts(VERSION, containers()) == frozenset()


def test_who_does_not_run_is_out_of_the_balance_while_another_one_does() -> None:
    assert out_of_balance(VERSION, containers()) == frozenset()
    assert out_of_balance(VERSION, containers(("app", "shop.2"))) == {"shop.2"}
    everybody = [("app", part) for part in SHOP.webs]
    assert out_of_balance(VERSION, containers(*everybody)) == frozenset(), "visitors get its error, not none at all"
    assert out_of_balance(VERSION, containers(("app", "api"))) == frozenset(), "there is no other one"


def test_the_router_is_told_anew_when_one_falls_out_and_when_it_comes_back() -> None:
    def origin(*but_for: tuple[str, str]) -> str:
        return routes_origin(Settings(), PROJECT, VERSION, containers(*but_for), "n")

    assert origin() == origin()
    assert origin(("app", "shop.2")) != origin()
    assert origin(("app", "api")) == origin()


def test_a_version_of_an_earlier_deployd_has_one() -> None:
    assert replace(SHOP, instances=1).webs == ("shop",)
    assert AppVersion("a", SlugKey("0"), "", "", PARTS, "").instances == 1


def test_somebody_comes_into_an_instance_by_its_name() -> None:
    assert [choose_part(VERSION, wanted) for wanted in ("", "shop.2", "queue")] == ["shop", "shop.2", "shop--queue"]


def test_what_an_instance_prints_belongs_to_its_application() -> None:
    [found] = [source_of(item, Path("log")) for item in containers() if item.name == "shop.2-app"]
    assert found is not None
    assert (found.app, found.name) == ("shop", "shop.2")
    assert [OutputFilter(app=name).has(found) for name in ("shop", "shop.2", "shop.3")] == [True, True, False]


@pytest.mark.parametrize(("branch", "settings", "number"), [
    ("main", {}, 4), ("topic", {}, 1), ("main", {"instances": {"app": 2}}, 2), ("topic", {"instances": {"app": 2}}, 1),
    ("topic", {"environments": {"topic": {"instances": {"app": 3}}}}, 3),
    ("main", {"instances": {"app": 2}, "environments": {"main": {"instances": {"app": 1}}}}, 1),
])
def test_how_many_there_are_is_said_of_the_branch_else_of_production(
    branch: str, settings: dict[str, object], number: int,
) -> None:
    config = read_project(DictTree({
        ".platform.app.yaml": "name: app\ntype: php:8.4\nweb: {locations: {/: {root: x}}}\n",
        ".deployd.yaml": "instances: {app: 4}\n",
    })).config
    assert config is not None
    project = ProjectSettings.model_validate({"id": "p", **settings})
    assert instances_of(project, branch, config, "app") == number


@pytest.mark.parametrize(("text", "code"), [
    ("instances: {app: 0}", "too-small"), ("instances: {app: 9}", "too-large"), ("instances: {ap: 2}", "not-allowed"),
    ("instances: [2]", "wrong-type"), ("instances: {app: many}", "wrong-type"),
])
def test_a_number_that_cannot_be_is_refused(text: str, code: str) -> None:
    found = read_project(DictTree({
        ".platform.app.yaml": "name: app\ntype: php:8.4\nweb: {locations: {/: {root: x}}}\n",
        ".deployd.yaml": f"{text}\n",
    }))
    assert [item.code for item in found.errors] == [code]


def test_of_one_environment_all_names_are_its_own() -> None:
    key = EnvironmentId(ProjectId("p"), EnvironmentName("main"))
    release = Release("deployd", PROJECT, key, "main", VERSION)
    names = {release.container(role, part) for role, part in EVERY}
    assert len(names) == len(EVERY)


def test_who_asks_others_ends_before_them() -> None:
    began = datetime(2026, 1, 1, tzinfo=UTC)
    engine = EngineDouble()
    webs = [
        engine.add(part, {ROLE: "web", PART: part}, started_at=began + timedelta(seconds=number))
        for number, part in enumerate(("database-api", "shop", "shop.2", "front"))
    ]
    assert [[item.name for item in group] for group in in_order_of_removal(webs)] == [
        ["front"], ["shop", "shop.2"], ["database-api"],
    ]
