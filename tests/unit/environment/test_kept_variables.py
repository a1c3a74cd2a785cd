"""Which variables that people set an environment sees, and which cannot be kept at all."""

import json
from typing import Any

import pytest

from deployd.environment.kept_variables import (
    MOST_VALUE_BYTES,
    KeptVariable,
    levels_seen,
    parents_of,
    refuse_unfit,
)
from deployd.environment.variables import Variables, variables_of
from deployd.errors import Unusable
from deployd.project.model import Application, Commands, Instance, Web
from deployd.settings import ProjectSettings

INSTANCE = Instance(Commands("run"), variables={"env": {"FOO": "application", "ONLY": "application"}})
APP = Application(name="app", runtime_name="php", version="8.4", root="", web=Web(INSTANCE, "tcp", "http", ()))


def project(**more: Any) -> ProjectSettings:
    return ProjectSettings.model_validate({"id": "shop", **more})


def var(name: str, value: str = "kept", **more: Any) -> KeptVariable:
    return KeptVariable(name=name, value=value, **more)


def seen(
    settings: ProjectSettings, branch: str, of_project: list[KeptVariable], of_branches: dict[str, list[KeptVariable]],
    *parents: str, building: bool = False,
) -> Variables:
    there = settings.with_kept_variables(levels_seen(settings, branch, of_project, of_branches, parents))
    return variables_of(APP, INSTANCE, there, branch, building=building)


@pytest.mark.parametrize(("levels", "winner"), [
    ({}, "application"),
    ({"project": "kept"}, "kept"),
    ({"project": "kept", "settings": "of settings"}, "of settings"),
    ({"settings": "of settings", "grandparent": "farthest"}, "farthest"),
    ({"grandparent": "farthest", "parent": "nearer"}, "nearer"),
    ({"parent": "nearer", "own": "own"}, "own"),
    ({"own": "own", "own settings": "operator"}, "operator"),
])
def test_a_later_level_wins(levels: dict[str, str], winner: str) -> None:
    settings = project(
        variables={"env:FOO": levels["settings"]} if "settings" in levels else {},
        environments={"child": {"variables": {"env:FOO": levels["own settings"]}}} if "own settings" in levels else {},
    )
    of = {"main": "grandparent", "dev": "parent", "child": "own"}
    found = seen(
        settings, "child", [var("env:FOO", levels["project"])] if "project" in levels else [],
        {branch: [var("env:FOO", levels[level])] for branch, level in of.items() if level in levels}, "dev", "main",
    )
    assert found.environment["FOO"] == winner
    assert found.environment["ONLY"] == "application"


def test_what_is_not_handed_on_and_what_is_disabled_is_not_seen() -> None:
    of_main = [var("env:OWN", inheritable=False), var("env:OFF", enabled=False), var("env:ON")]
    assert seen(project(), "dev", [], {"main": of_main}, "main").environment.keys() == {"FOO", "ONLY", "ON"}
    assert seen(project(), "main", [], {"main": of_main}).environment.keys() == {"FOO", "ONLY", "ON", "OWN"}


def test_secrets_of_a_protected_environment_are_handed_on_only_when_somebody_said_so() -> None:
    settings = project(environments={"main": {"protected": {"source": "dev"}}})
    of_main = [
        var("env:SECRET", sensitive=True), var("env:SAID", sensitive=True, inheritable=True), var("env:OPEN"),
    ]
    assert {"SAID", "OPEN"} == seen(settings, "dev", [], {"main": of_main}, "main").environment.keys() - {"FOO", "ONLY"}
    open_main = seen(project(), "dev", [], {"main": of_main}, "main")
    assert {"SECRET", "SAID", "OPEN"} <= open_main.environment.keys()


def test_a_protected_environment_inherits_nothing_of_one_into_which_anybody_may_push() -> None:
    settings = project(environments={"main": {"protected": {"source": "dev"}}, "live": {"protected": True}})
    of = {"dev": [var("env:EVIL")], "main": [var("env:GOOD")]}
    assert seen(settings, "live", [], of, "main", "dev").environment.keys() - {"FOO", "ONLY"} == {"GOOD"}
    # Who may push to `dev` says whose child it is.
    assert seen(settings, "live", [], of, "dev", "main").environment.keys() <= {"FOO", "ONLY"}


def test_what_is_secret_in_a_protected_environment_is_in_no_build_of_it() -> None:
    settings = project(environments={"main": {"protected": {"source": "dev"}}})
    own = {"main": [var("env:SECRET", sensitive=True), var("env:OPEN")]}
    assert "SECRET" not in seen(settings, "main", [], own, building=True).environment
    assert "OPEN" in seen(settings, "main", [], own, building=True).environment
    assert "SECRET" in seen(settings, "main", [], own).environment


def test_a_variable_of_one_application_is_no_other_ones() -> None:
    found = seen(project(), "main", [var("env:FOO", "all")], {"main": [var("env:FOO", "api's", applications=("api",))]})
    assert found.environment["FOO"] == "all"


def test_json_is_what_it_says_and_other_prefixes_are_of_the_platform() -> None:
    kept = [var("d8config:site:name", '{"a": [1]}', is_json=True), var("php:memory_limit", "64M"),
            var("env:LIST", '["x", "y"]', is_json=True), var("TEXT", '{"a": 1}')]
    found = seen(project(), "main", kept, {})
    assert found.platform == {"d8config:site:name": {"a": [1]}, "php:memory_limit": "64M", "TEXT": '{"a": 1}'}
    assert found.ini["php"] == {"memory_limit": "64M"}
    assert json.loads(found.environment["LIST"]) == ["x", "y"]


def test_parents_are_named_or_production_and_no_circle_goes_round() -> None:
    settings = project(default_branch="main")
    assert parents_of(settings, "main", {}) == ()
    assert parents_of(settings, "main", {"main": "dev"}) == ()
    assert parents_of(settings, "dev", {}) == ("main",)
    assert parents_of(settings, "fix", {"fix": "dev"}) == ("dev", "main")
    assert parents_of(settings, "a", {"a": "b", "b": "a"}) == ("b",)


@pytest.mark.parametrize("unfit", [
    var(""), var("env:"), var("env:1X"), var("env:a b"), var("env:PATH"), var("env:PLATFORM_BRANCH"), var("a/b"),
    var("a=b"), var("x" * 201), var("env:X", "a\0b"), var("env:X", "\udc80"), var("php:a:b"),
    var("env:X", "{", is_json=True), var("env:X", "null", is_json=True), var("env:X", "NaN", is_json=True),
    var("env:X", '"a\\u0000"', is_json=True), var("env:X", '"\\ud800"', is_json=True),
    var("env:X", "[" * 5000 + "]" * 5000, is_json=True), var("env:X", "[" * 200 + "]" * 200, is_json=True),
    var("env:X", "x" * (MOST_VALUE_BYTES + 1)),
])
def test_what_no_program_could_get_is_refused(unfit: KeptVariable) -> None:
    with pytest.raises(Unusable) as error:
        refuse_unfit(unfit)
    assert len(unfit.value) < 20 or unfit.value not in str(error.value.lines())


@pytest.mark.parametrize("fit", [
    var("env:foo_bar"), var("php:memory_limit"), var("d8config:system.site:name"), var("REBUILD-DATE", ""),
    var("env:X", '[1, {"a": null}]', is_json=True), var("drupal:a.b-c"),
])
def test_what_programs_can_get_is_kept(fit: KeptVariable) -> None:
    refuse_unfit(fit)
