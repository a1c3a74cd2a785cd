"""How two versions differ: what is told of each kind, that no value of a variable is, and that places do not count."""

from __future__ import annotations

from dataclasses import asdict, replace
from typing import Any

from deployd.ids import ActivityId, CommitId, SlugKey
from deployd.plan import KeyParts
from deployd.project.model import ProjectConfig
from deployd.project.reader import read_project
from deployd.queries.compare import UNTOLD, Described, Fact, describe, differences, digest
from deployd.release.version import AppVersion, ServiceVersion, Version
from deployd.settings import ProjectSettings, Settings
from tests.doubles.trees import DictTree

APP = """
name: app
type: php:8.4
disk: 512
relationships: {{ database: "db:mysql" }}
variables: {{ env: {{ MODE: {mode}, COLOUR: red }} }}
web: {{ locations: {{ "/": {{ root: web, passthru: /index.php }} }} }}
workers: {{ mailer: {{ commands: {{ start: {worker} }} }} }}
crons: {{ nightly: {{ spec: "{spec}", commands: {{ start: {command} }} }} }}
"""
SERVICES = "db:\n    type: mariadb:{db}\n    disk: 512\n"
ROUTES = '"https://{default}/":\n    type: upstream\n    upstream: "app:http"\n'
PARTS = KeyParts(tree="t", settings="s", variables="v", image="i", recipe="r")
VERSION = Version(
    ActivityId(1), CommitId("1" * 40),
    (AppVersion("app", SlugKey("a" * 64), "t", "sha256:" + "1" * 64, PARTS, "x"),),
    (ServiceVersion("db", "mariadb:10.11", "sha256:" + "2" * 64, "d"),), ("https://shop.test/",),
)


def config(above: str = "", **values: str) -> ProjectConfig:
    given = {"mode": "prod", "worker": "run", "spec": "0 1 * * *", "command": "tidy", **values}
    result = read_project(DictTree({
        ".platform.app.yaml": above + APP.format(**given),
        ".platform/services.yaml": SERVICES.format(db=values.get("db", "10.11")), ".platform/routes.yaml": ROUTES,
    }))
    assert result.config is not None, result.errors
    return result.config


def project(**variables: str) -> ProjectSettings:
    given: Any = {"directory": "/nowhere", "projects": {"shop": {"variables": variables}}}
    return next(iter(Settings.model_validate(given).projects.values()))


def changes(one: Described, other: Described) -> dict[str, list[tuple[str, str, str, str, tuple[str, ...]]]]:
    return {
        section.of: [(item.name, item.change, item.before, item.after, item.why) for item in section.changes]
        for section in differences(one, other) if section.changes
    }


def test_the_same_does_not_differ_wherever_it_stands_in_its_file() -> None:
    one, other = (describe(VERSION, config(above), project(), "main") for above in ("", "# more\n\n"))
    assert changes(one, other) == {}
    same = {section.of: section.same for section in differences(one, other)}
    assert same == {
        "applications": 1, "services": 1, "routes": 1, "workers": 1, "crons": 1, "variables": 2, "images": 2,
        "slugs": 1,
    }


def test_each_kind_says_what_of_it_differs() -> None:
    app = replace(VERSION.apps[0], slug=SlugKey("b" * 64), parts=replace(PARTS, tree="T", image="I"))
    later = replace(VERSION, apps=(app,))
    one = describe(VERSION, config(), project(), "main")
    other = describe(later, config(mode="dev", worker="walk", spec="0 2 * * *", db="11.4"), project(), "main")
    found = changes(one, other)
    [(_, _, _, _, why)] = found["applications"]
    assert {"its files changed", "its runtime image changed"} <= set(why)
    assert found["services"] == [("db", "changed", "mariadb:10.11", "mariadb:11.4", ())]
    assert found["crons"] == [("app: nightly", "changed", "0 1 * * *", "0 2 * * *", ())]
    assert found["workers"] == [("app--mailer", "changed", "", "", ("its commands changed",))]
    assert found["variables"] == [("app: MODE", "changed", "", "", ("its value differs",))]
    assert found["slugs"] == [("app", "changed", "a" * 12, "b" * 12, ())]
    hidden = changes(one, describe(VERSION, config(command="sweep"), project(), "main"))
    assert hidden == {"crons": [("app: nightly", "changed", "0 1 * * *", "0 1 * * *", ("its command changed",))]}


def test_no_value_of_a_variable_is_told() -> None:
    one = describe(VERSION, config(mode="secret-one"), project(**{"env:colours": "secret-two"}), "main")
    other = describe(VERSION, config(mode="secret-three"), project(**{"env:colours": "secret-four"}), "main")
    told = [asdict(section) for section in differences(one, other)]
    assert [item["name"] for section in told for item in section["changes"]] == ["app: COLOURS", "app: MODE"]
    assert "secret" not in repr(told)
    assert "secret" not in repr(one)


def test_nobody_finds_a_secret_out_by_setting_a_guess_elsewhere_and_comparing() -> None:
    def at(branch: str, *, sensitive: bool, name: str = "env:PIN") -> Described:
        given: Any = {"id": "shop", "environments": {branch: {"variables": {
            name: {"value": "guessed", "sensitive": sensitive},
        }}}}
        return describe(VERSION, config(), ProjectSettings.model_validate(given), branch)

    secret = at("main", sensitive=True)
    for guess in (at("wip", sensitive=False), at("wip", sensitive=True)):
        (name, change, _, _, why), = changes(guess, secret)["variables"]
        assert (name, change) == ("app: PIN", "changed")
        assert UNTOLD in why
    for other in (at("main", sensitive=True, name="env:TOKEN"), at("main", sensitive=False, name="env:TOKEN")):
        assert UNTOLD in changes(at("wip", sensitive=False, name="env:TOKEN"), other)["variables"][0][-1]
    assert not changes(secret, at("main", sensitive=True))
    plain = (at(branch, sensitive=False, name="env:COUNTRY") for branch in ("main", "wip"))
    assert not changes(*plain)


def test_files_that_cannot_be_read_leave_what_the_version_itself_knows() -> None:
    later = replace(VERSION, services=(), routes=("https://next.test/",))
    found = changes(describe(VERSION, None, project(), "main"), describe(later, None, project(), "main"))
    assert found == {
        "services": [("db", "removed", "mariadb:10.11", "", ())], "images": [("db", "removed", "2" * 12, "", ())],
        "routes": [("https://next.test/", "added", "", "", ()), ("https://shop.test/", "removed", "", "", ())],
    }


def test_a_digest_is_of_what_is_said_and_not_of_its_order() -> None:
    assert digest({"a": 1, "b": (1, 2)}) == digest({"b": [1, 2], "a": 1})
    assert digest({"a": 1}) != digest({"a": "1"})
    assert Fact("x", {"p": "1"}) != Fact("x", {"p": "2"})
