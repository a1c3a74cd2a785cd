"""What Linux starts nothing with is found before anything begins, with its name and its size."""

from __future__ import annotations

import errno
import os
import subprocess
from collections.abc import Mapping

import pytest

from deployd.environment.exec_limits import MOST_VALUE_BYTES, beyond_limits, value_bytes
from deployd.environment.platform import About, Surroundings, build_environment, runtime_environment
from deployd.environment.variables import variables_of
from deployd.project.model import NOWHERE, ProjectConfig
from deployd.project.reader import read_project
from deployd.release.applications.kernel_limits import TooLargeToStart, refuse_too_large, too_large_to_start
from deployd.settings import ProjectSettings
from tests.doubles.trees import DictTree

ABOUT = About("shop", "x" * 56, "main-bvxea6i", "main", "production", "0" * 40)
SHOP = ProjectSettings.model_validate({"id": "shop"})


def config(app: str, services: str = "") -> ProjectConfig:
    text = f"name: shop\ntype: 'nodejs:24'\nweb: {{commands: {{start: node .}}}}\n{app}"
    found = read_project(DictTree({".platform.app.yaml": text, ".platform/services.yaml": services})).config
    assert found is not None
    return found


def said(app: str, project: ProjectSettings = SHOP) -> list[str]:
    return [error.what for error in too_large_to_start(config(app), project, "main")]


@pytest.mark.parametrize("size", [MOST_VALUE_BYTES, MOST_VALUE_BYTES + 1])
def test_the_bound_of_one_value_is_the_kernels(size: int) -> None:
    environment = {"BIG": "x" * (size - value_bytes("BIG", ""))}
    assert value_bytes("BIG", environment["BIG"]) == size
    assert bool(beyond_limits(environment)) == _is_refused_by_the_kernel(environment)


def test_the_bound_of_all_values_is_within_the_kernels() -> None:
    environment = {f"V{number}": "x" * 100_000 for number in range(20)}
    [beyond] = beyond_limits(environment)
    assert not beyond.name
    assert beyond.largest == ("V10 100,005", "V11 100,005", "V12 100,005")
    del environment["V19"]
    assert not beyond_limits(environment)
    assert not _is_refused_by_the_kernel(environment)


def _is_refused_by_the_kernel(environment: Mapping[str, str]) -> bool:
    try:
        subprocess.run(["/bin/true"], env=dict(environment), check=True)
    except OSError as error:
        return error.errno == errno.E2BIG
    return False


BIG = "x" * 131_072


@pytest.mark.parametrize(("app", "what", "line"), [
    (f"variables: {{env: {{BIG: {BIG}}}}}\n", "BIG of shop would have 131,077 bytes, and Linux", 3),
    (f"variables: {{app: {{big: {BIG}}}}}\n", "PLATFORM_APPLICATION of shop would have", 3),
    (f"hooks:\n  deploy: '{BIG}'\n", "most of it hooks.deploy (131,", 5),
    (f"hooks:\n  post_deploy: '{BIG}'\n", "most of it hooks.post_deploy (131,", 5),
    (f"hooks:\n  build: '{BIG}'\n", "most of it hooks.build (131,", 5),
    (f"workers: {{mailer: {{commands: {{start: '{BIG}'}}}}}}\n", "PLATFORM_APPLICATION of shop would have", 3),
    (f"crons: {{c: {{spec: '* * * * *', commands: {{start: x, stop: '{BIG}'}}}}}}\n", "PLATFORM_APPLICATION", 3),
    ("variables:\n  env:\n" + "".join(f"    V{number}: {'x' * 100_000}\n" for number in range(20)),
     "PLATFORM_APPLICATION of shop would have", 3),
])
def test_what_is_too_large_is_told_with_its_name_and_size(app: str, what: str, line: int) -> None:
    errors = too_large_to_start(config(app), SHOP, "main")
    assert what in errors[0].what
    assert errors[0].where.startswith(f".platform.app.yaml:{line}")
    assert all(len("\n".join(error.lines())) < 600 for error in errors)


def test_variables_of_the_operator_count_too() -> None:
    project = ProjectSettings.model_validate({
        "id": "shop", "variables": {"env:BIG": "x" * 131_072, "big": "x" * 100_000},
        "environments": {"dev": {"variables": {f"env:V{number}": "x" * 120_000 for number in range(17)}}},
    })
    found = too_large_to_start(config(""), project, "main")
    assert "BIG of shop would have 131,077 bytes" in found[0].what
    small = project.model_copy(update={"variables": {}})
    assert not too_large_to_start(config(""), small, "main")
    [error] = too_large_to_start(config(""), small, "dev")
    assert error.what.startswith("the environment of shop would have 2,0")
    assert "(the largest: V10 120,005," in error.what


def test_a_build_has_an_environment_of_its_own() -> None:
    project = ProjectSettings.model_validate({
        "id": "shop", "variables": {"env:BIG": {"value": BIG, "visible_runtime": False}},
    })
    [what] = said("", project)
    assert what.startswith("BIG of the build of shop would have 131,077 bytes, and Linux starts nothing with")


def test_what_is_told_before_is_not_less_than_what_is_started() -> None:
    found = config("relationships: {db: 'db:mysql', cache: 'cache:redis'}\nhooks: {deploy: echo}\n",
                   "db: {type: 'mariadb:11.8', disk: 512}\ncache: {type: 'redis:8.0'}\n")
    app = found.applications[0]
    variables = variables_of(app, app.web.instance, SHOP, "main", building=False)
    values = runtime_environment(app, ABOUT, variables, commands=app.web.instance.commands, around=Surroundings())
    assert not too_large_to_start(found, SHOP, "main")
    refuse_too_large("shop", values, NOWHERE)
    refuse_too_large("shop", build_environment(app, ABOUT, variables), NOWHERE)
    with pytest.raises(TooLargeToStart, match="PLATFORM_APPLICATION of shop"):
        refuse_too_large("shop", {**values, "PLATFORM_APPLICATION": BIG}, NOWHERE)


def test_many_that_are_too_large_are_looked_at_in_bounded_time() -> None:
    workers = "".join(f"  w{number}: {{commands: {{start: x}}}}\n" for number in range(90))
    app = f"variables: {{app: {{big: {'x' * 300_000}}}}}\nworkers:\n{workers}"
    assert len(too_large_to_start(config(app), SHOP, "main")) == 1


@pytest.mark.parametrize("text", [
    'variables: {env: {A: "a\\0b"}}', 'hooks: {deploy: "a\\0b"}', 'variables: {env: {"a\\0b": 1}}',
    'crons: {c: {spec: "* * * * *", commands: {start: "a\\x00b"}}}', 'mounts: {"a\\u0000b": {source: tmp}}',
])
def test_a_zero_byte_is_refused_where_it_stands(text: str) -> None:
    result = read_project(DictTree({".platform.app.yaml": f"name: shop\ntype: 'nodejs:24'\n{text}\n"}))
    [error] = result.errors
    assert (error.code, error.place.line) == ("not-text", 3)
    assert os.linesep not in error.what
